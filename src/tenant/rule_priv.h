/* What modes and routes share: a rule is for (tenant or every tenant, remote domain pattern). */
#ifndef TENANT_RULE_PRIV_H
#define TENANT_RULE_PRIV_H

#include "tenant/call.h"

struct rule {
    int64_t tenant; /* 0: every */
    struct str tenant_name, domain;
};

/* From the arguments "domain" and "tenant" ("*" when missing). */
enum err rule_read(struct call *c, struct rule *out) MUST_CHECK;
/* The tenant to list for: *all when none was named. */
enum err rule_list_tenant(struct call *c, int64_t *tenant, bool *all) MUST_CHECK;
/* "no mode for ..." */
enum err rule_missing(struct call *c, const char *noun, const struct rule *r) MUST_CHECK;
json_t *rule_describe(struct str tenant, struct str domain);
enum err rule_note(struct call *c, enum change_kind kind, const struct rule *r) MUST_CHECK;

#endif
