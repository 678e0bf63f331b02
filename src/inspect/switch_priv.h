/* The two directions of the switch, and what they share. */
#ifndef INSPECT_SWITCH_PRIV_H
#define INSPECT_SWITCH_PRIV_H

#include "inspect/switch.h"

/* An MX record that names somebody else than the expected host. */
bool switch_has_other(const struct facts *f);
bool switch_mx_is_everywhere(const struct facts *f);
enum switch_host { SWITCH_NEW_HOST, SWITCH_OLD_HOSTS };
/* Our resolver or an authoritative server shows an MX record with the expected host, or with another. */
bool switch_is_shown(const struct facts *f, enum switch_host which);
/* An authoritative server that did not say what its MX records are, or NULL. */
const struct facts_server *switch_silent_server(const struct facts *f);
/* The MTA-STS policy is enforced and does not list an old MX host. */
bool switch_sts_bars_old(const struct switch_memory *m, const struct facts *f);
/* An address at which the new host does not take mail for the domain, or NULL. */
const struct facts_dial *switch_failing_dial(const struct facts *f);
/* A priority behind all of those: what is added untested must get no mail. */
uint16_t switch_behind(uint16_t highest);
struct switch_mx switch_expected(const struct facts *f, uint16_t preference);

void switch_await(const struct facts *f, struct switch_view *v, int64_t until_ms, struct str say);
void switch_ours(struct switch_view *v, enum switch_action action, struct str say);
void switch_yours(struct switch_view *v, struct str say);
void switch_add_mx(const struct facts *f, struct switch_view *v, const char *what, struct switch_mx mx,
                   uint32_t ttl);
/* The record of MTA-STS with a new id. */
void switch_add_txt(const struct facts *f, struct switch_view *v);

void switch_judge(const struct switch_memory *m, const struct facts *f, const struct switch_options *o,
                  bool held[SWITCH_STEPS]);
static inline bool switch_all_before(const bool held[SWITCH_STEPS], size_t step)
{
    for (size_t i = 0; i < step; i++)
        if (!held[i])
            return false;
    return true;
}
bool switch_sts_is_ready(const struct switch_memory *m, const struct facts *f);
void switch_say_sts_ready(const struct switch_memory *m, const struct facts *f, struct switch_view *v);
bool switch_sts_is_enforced(const struct switch_memory *m, const struct facts *f);
void switch_say_sts_enforce(const struct switch_memory *m, const struct facts *f, struct switch_view *v);
void switch_forward(const struct switch_memory *m, const struct facts *f, const struct switch_options *o,
                    struct switch_view *v);
void switch_back(const struct switch_memory *m, const struct facts *f, const struct switch_options *o,
                 struct switch_view *v);

#endif
