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
/* What becomes of a rule that is there already and says something else. */
enum rule_difference { RULE_REFUSE, RULE_REPLACE };
/* ERR_EXISTS: "there is a mode for ... already, <what>; change it with ...". */
enum err rule_exists(struct call *c, const char *noun, const struct rule *r, const char *what) MUST_CHECK;
/* Runs delete_sql, whose $1 is the tenant and $2 the domain, and notes it. */
enum err rule_remove(struct call *c, enum change_kind kind, const char *delete_sql,
                     const struct rule *r) MUST_CHECK;
enum err rule_note(struct call *c, enum change_kind kind, const struct rule *r) MUST_CHECK;

#endif
