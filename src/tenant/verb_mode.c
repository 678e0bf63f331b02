#include "tenant/rule_priv.h"
#include "tenant/verbs_priv.h"

#include "conf/conf.h"

struct mode_rule {
    enum mode mode;
    struct str owner, reason;
    int64_t expires_ms; /* 0: never */
};

static bool load(struct call *c, const struct rule *r, struct mode_rule *out)
{
    struct db_query *q = db_query(
        c->db, "SELECT mode, owner, reason, expires_ms FROM mode_rule WHERE tenant_id = $1 AND domain = $2");
    db_bind_int(q, r->tenant);
    db_bind_text(q, r->domain);
    bool found = db_next(q) && mode_parse(db_text(q, 0), &out->mode);
    if (found) {
        out->owner = arena_str(c->a, db_text(q, 1));
        out->reason = arena_str(c->a, db_text(q, 2));
        out->expires_ms = db_int(q, 3);
    }
    return !db_end(q, c->why) && found;
}

static json_t *describe(struct str tenant, struct str domain, const struct mode_rule *m)
{
    json_t *o = rule_describe(tenant, domain);
    json_object_set_new(o, "mode", json_string(mode_name(m->mode)));
    json_object_set_new(o, "owner", m->owner.n ? json_of(m->owner) : json_null());
    json_object_set_new(o, "reason", m->reason.n ? json_of(m->reason) : json_null());
    json_object_set_new(o, "expires", json_time(m->expires_ms));
    json_object_set_new(o, "lapsed", json_boolean(m->expires_ms && m->expires_ms <= clock_wall()));
    return o;
}

enum err verb_mode_list(struct call *c)
{
    int64_t tenant;
    bool all;
    enum err e = rule_list_tenant(c, &tenant, &all);
    if (e)
        return e;
    c->result = json_array();
    struct db_query *q =
        db_query(c->db, "SELECT tenant_id, domain, mode, owner, reason, expires_ms FROM mode_rule"
                        " ORDER BY tenant_id, domain");
    while (db_next(q)) {
        struct mode_rule m = {.owner = db_text(q, 3), .reason = db_text(q, 4), .expires_ms = db_int(q, 5)};
        if (mode_parse(db_text(q, 2), &m.mode) && (all || db_int(q, 0) == tenant))
            json_array_append_new(c->result, describe(tenant_name_of(c, db_int(q, 0)), db_text(q, 1), &m));
    }
    return db_end(q, c->why);
}

/* What is in force for mail of the tenant to the domain, and the rule that says so: the data plane's own
 * answer. */
enum err verb_mode_show(struct call *c)
{
    struct rule r;
    struct dir_mode found;
    struct directory_view v = {0};
    enum err e = rule_read(c, &r);
    if (!e)
        e = directory_begin(c->directory, &v, c->why);
    if (e)
        return e;
    directory_mode(&v, c->a, (uint64_t)r.tenant, r.domain, &found);
    directory_end(&v);
    c->result = rule_describe(r.tenant_name, r.domain);
    json_object_set_new(c->result, "mode", json_string(mode_name(found.mode)));
    json_object_set_new(c->result, "rule", json_of(found.rule));
    json_object_set_new(c->result, "expires", json_time(found.expires_ms));
    json_object_set_new(c->result, "lapsed", json_boolean(found.lapsed));
    return OK;
}

/* "2027-01-31", "2027-01-31T12:00:00Z" (UTC), or a time from now: "30d". */
static bool read_time(struct str text, int64_t *ms)
{
    char copy[32];
    struct tm tm = {0};
    if (conf_duration(text, ms)) {
        *ms += clock_wall();
        return true;
    }
    if (!str_copy(text, copy, sizeof copy))
        return false;
    const char *end = strptime(copy, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (!end) {
        tm = (struct tm){0};
        end = strptime(copy, "%Y-%m-%d", &tm);
    }
    *ms = (int64_t)timegm(&tm) * 1000;
    return end && !*end;
}

static enum err read_rule(struct call *c, struct mode_rule *m)
{
    struct str text;
    enum err e = arg_need(c, "mode", &text);
    if (e)
        return e;
    *m = (struct mode_rule){.owner = arg_text(c, "owner"), .reason = arg_text(c, "reason")};
    if (!mode_parse(text, &m->mode)) {
        const char *instead = "";
        if (str_equal(text, STR("report-only")))
            instead = ": use opportunistic, and \"kedge check\" to see what mandatory would demand; where "
                      "broken DANE must "
                      "not stop mail, off with --expires";
        else if (str_equal(text, STR("mandatory-any")))
            instead = ": use mandatory where the domain has DANE, else opportunistic";
        buf_set(c->why, "mode '%.*s' is not opportunistic, mandatory or off%s", STR_ARG(text), instead);
        return ERR_USAGE;
    }
    struct str expires = arg_text(c, "expires");
    if (expires.n && !read_time(expires, &m->expires_ms)) {
        buf_set(c->why, "expires '%.*s' is not a date (2027-01-31) or a time from now (30d)",
                STR_ARG(expires));
        return ERR_USAGE;
    }
    if (m->expires_ms && m->expires_ms <= clock_wall()) {
        buf_set(c->why, "expires '%.*s' is over already", STR_ARG(expires));
        return ERR_USAGE;
    }
    if (m->mode == MODE_OFF && (!m->owner.n || !m->reason.n || !m->expires_ms)) {
        buf_set(c->why, "mode off is an exception: it needs --owner WHO, --reason TEXT and --expires DATE; "
                        "at that date the rule "
                        "lapses to opportunistic");
        return ERR_USAGE;
    }
    return OK;
}

static enum err write_row(struct call *c, const struct rule *r, const struct mode_rule *m)
{
    struct db_query *q = db_query(
        c->db, "INSERT INTO mode_rule (tenant_id, domain, mode, owner, reason, expires_ms, created_ms)"
               " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant_id, domain) DO UPDATE SET mode = "
               "excluded.mode,"
               " owner = excluded.owner, reason = excluded.reason, expires_ms = excluded.expires_ms");
    db_bind_int(q, r->tenant);
    db_bind_text(q, r->domain);
    db_bind_text(q, str_of(mode_name(m->mode)));
    db_bind_text(q, m->owner);
    db_bind_text(q, m->reason);
    db_bind_int(q, m->expires_ms);
    db_bind_int(q, clock_wall());
    enum err e = db_run(q, NULL, c->why);
    return e ? e : rule_note(c, CHANGE_MODE, r);
}

static enum err put(struct call *c, enum rule_difference difference)
{
    struct rule r;
    struct mode_rule before, after;
    enum err e = rule_read(c, &r);
    if (!e)
        e = read_rule(c, &after);
    if (e)
        return e;
    bool exists = load(c, &r, &before);
    bool same = exists && before.mode == after.mode && str_equal(before.owner, after.owner) &&
                str_equal(before.reason, after.reason) && before.expires_ms == after.expires_ms;
    if (exists && !same && difference == RULE_REFUSE)
        return rule_exists(c, "mode", &r, mode_name(before.mode));
    e = same ? OK : write_row(c, &r, &after);
    if (!e)
        c->result = describe(r.tenant_name, r.domain, &after);
    return e;
}

enum err verb_mode_add(struct call *c)
{
    return put(c, RULE_REFUSE);
}

enum err verb_mode_set(struct call *c)
{
    return put(c, RULE_REPLACE);
}

enum err verb_mode_remove(struct call *c)
{
    struct rule r;
    struct mode_rule m;
    enum err e = rule_read(c, &r);
    if (e)
        return e;
    if (!load(c, &r, &m))
        return rule_missing(c, "mode", &r);
    e = rule_remove(c, CHANGE_MODE, "DELETE FROM mode_rule WHERE tenant_id = $1 AND domain = $2", &r);
    if (!e)
        c->result = describe(r.tenant_name, r.domain, &m);
    return e;
}
