#include "deliver/schedule.h"

struct schedule schedule_of(const struct conf *c)
{
    return (struct schedule){.waits = c->retry_schedule.v,
                             .wait_count = c->retry_schedule.n,
                             .lifetime = c->queue_lifetime,
                             .lifetime_security = c->queue_lifetime_security,
                             .warning = c->delay_warning,
                             .clear_text_wait = c->clear_text_wait};
}

int64_t schedule_lifetime(const struct schedule *s, enum reason reason)
{
    return reason_row(reason)->is_security ? s->lifetime_security : s->lifetime;
}

static bool is_security(struct str reason)
{
    enum reason r;
    return reason_parse(reason, &r) && reason_row(r)->is_security;
}

bool schedule_is_expired(const struct schedule *s, struct str before, enum reason reason, int64_t received,
                         int64_t now)
{
    int64_t age = now - received;
    bool first = reason_row(reason)->is_security && !is_security(before);
    return age >= schedule_lifetime(s, reason) && (!first || age >= s->lifetime);
}

int64_t schedule_next(const struct schedule *s, enum reason reason, unsigned attempts, int64_t received,
                      int64_t now)
{
    ENSURE(s->wait_count > 0);
    size_t at = attempts > 0 ? attempts - 1 : 0;
    int64_t wait = s->waits[at < s->wait_count ? at : s->wait_count - 1];
    if (reason == REASON_HANDSHAKE_FAILED && wait < s->clear_text_wait)
        wait = s->clear_text_wait;
    int64_t end = received + schedule_lifetime(s, reason);
    return end > now && now + wait > end ? end : now + wait;
}

bool schedule_warns(const struct schedule *s, int64_t received, int64_t warned, int64_t now)
{
    return s->warning > 0 && warned == 0 && now - received >= s->warning;
}

bool schedule_allows_clear_text(const struct schedule *s, struct str reason, int64_t last, int64_t now)
{
    return last > 0 && str_equal(reason, str_of(reason_name(REASON_HANDSHAKE_FAILED))) &&
           now - last >= s->clear_text_wait;
}
