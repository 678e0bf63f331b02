#include "tenant/verbs_priv.h"

#include "mail/address.h"

struct recipient {
    struct str domain;
    struct str
        local; /* unquoted, lower case: local parts of accepted domains are compared without ASCII case */
};

static enum err need_accepted(struct call *c, struct str text, struct str *domain)
{
    enum err e = name_normal(c, text, domain);
    if (e)
        return e;
    struct db_query *q = db_query(c->db, "SELECT 1 FROM domain WHERE name = $1");
    db_bind_text(q, *domain);
    int64_t ignored;
    e = db_get_int(q, &ignored, c->why);
    if (e == ERR_NOT_FOUND)
        buf_set(c->why, "'%.*s' is not an accepted domain; \"kedge domain add %.*s ...\" makes it one",
                STR_ARG(*domain), STR_ARG(*domain));
    return e;
}

/* An address of an accepted domain. */
static enum err read_address(struct call *c, struct str text, struct recipient *out)
{
    struct mail_address address;
    const char *fault = "";
    if (mail_address_parse(text, true, &address, &fault) || address.is_literal) {
        buf_set(c->why, "'%.*s' is not a mail address in a domain%s%s", STR_ARG(text), *fault ? ": " : "",
                fault);
        return ERR_USAGE;
    }
    out->local = arena_lower(c->a, mail_local_unquoted(c->a, &address));
    return need_accepted(c, address.domain, &out->domain);
}

static json_t *describe(struct call *c, struct str domain, struct str local)
{
    json_t *o = json_object();
    json_object_set_new(o, "recipient",
                        json_of(arena_printf(c->a, "%.*s@%.*s", STR_ARG(local), STR_ARG(domain))));
    json_object_set_new(o, "domain", json_of(domain));
    return o;
}

enum err verb_recipient_list(struct call *c)
{
    struct str text, domain;
    enum err e = arg_need(c, "domain", &text);
    if (!e)
        e = need_accepted(c, text, &domain);
    if (e)
        return e;
    c->result = json_array();
    struct db_query *q =
        db_query(c->db, "SELECT local_part FROM recipient WHERE domain = $1 ORDER BY local_part");
    db_bind_text(q, domain);
    while (db_next(q))
        json_array_append_new(c->result, describe(c, domain, db_text(q, 0)));
    return db_end(q, c->why);
}

static enum err need_listed(struct call *c, const struct recipient *r)
{
    struct db_query *q = db_query(c->db, "SELECT 1 FROM recipient WHERE domain = $1 AND local_part = $2");
    db_bind_text(q, r->domain);
    db_bind_text(q, r->local);
    int64_t ignored;
    enum err e = db_get_int(q, &ignored, c->why);
    if (e == ERR_NOT_FOUND)
        buf_set(c->why, "'%.*s@%.*s' is not in the list; \"kedge recipient list %.*s\" shows it",
                STR_ARG(r->local), STR_ARG(r->domain), STR_ARG(r->domain));
    return e;
}

enum err verb_recipient_show(struct call *c)
{
    struct str text;
    struct recipient r = {0};
    enum err e = arg_need(c, "recipient", &text);
    if (!e)
        e = read_address(c, text, &r);
    if (!e)
        e = need_listed(c, &r);
    if (!e)
        c->result = describe(c, r.domain, r.local);
    return e;
}

static enum err insert(struct call *c, const struct recipient *r)
{
    struct db_query *q =
        db_query(c->db, "INSERT INTO recipient (domain, local_part, created_ms) VALUES ($1, $2, $3)"
                        " ON CONFLICT (domain, local_part) DO NOTHING");
    db_bind_text(q, r->domain);
    db_bind_text(q, r->local);
    db_bind_int(q, clock_wall());
    int64_t changed;
    enum err e = db_run(q, &changed, c->why);
    return e || !changed ? e : change_note(c, CHANGE_RECIPIENT, r->domain, r->local);
}

static enum err delete (struct call *c, const struct recipient *r) {
    struct db_query *q = db_query(c->db, "DELETE FROM recipient WHERE domain = $1 AND local_part = $2");
    db_bind_text(q, r->domain);
    db_bind_text(q, r->local);
    enum err e = db_run(q, NULL, c->why);
    return e ? e : change_note(c, CHANGE_RECIPIENT, r->domain, r->local);
}

static enum err add_one(struct call *c, struct str text)
{
    struct recipient r = {0};
    enum err e = read_address(c, text, &r);
    if (!e)
        e = insert(c, &r);
    if (!e)
        json_array_append_new(c->result, describe(c, r.domain, r.local));
    return e;
}

enum err verb_recipient_add(struct call *c)
{
    return arg_each(c, "recipient", add_one);
}

static enum err remove_one(struct call *c, struct str text)
{
    struct recipient r = {0};
    enum err e = read_address(c, text, &r);
    if (!e)
        e = need_listed(c, &r);
    if (!e)
        e = delete (c, &r);
    if (!e)
        json_array_append_new(c->result, describe(c, r.domain, r.local));
    return e;
}

enum err verb_recipient_remove(struct call *c)
{
    return arg_each(c, "recipient", remove_one);
}

/* The address itself is all there is to set. */
enum err verb_recipient_set(struct call *c)
{
    struct str text, rename = STR_NONE;
    struct recipient before = {0}, after = {0};
    enum err e = arg_need(c, "recipient", &text);
    if (!e)
        e = arg_need(c, "rename", &rename);
    if (!e)
        e = read_address(c, text, &before);
    if (!e)
        e = need_listed(c, &before);
    if (!e)
        e = read_address(c, rename, &after);
    if (!e)
        e = delete (c, &before);
    if (!e)
        e = insert(c, &after);
    if (!e)
        c->result = describe(c, after.domain, after.local);
    return e;
}
