#include "tenant/verbs_priv.h"

enum { SMTP_PORT = 25 };

#define COLUMNS "tenant_id, mx_host, protocol, host, port, tls, recipients"

static bool row_of(struct call *c, struct str name, struct dir_domain *out)
{
    *out = (struct dir_domain){.domain = name};
    struct db_query *q = db_query(c->db, "SELECT " COLUMNS " FROM domain WHERE name = $1");
    db_bind_text(q, name);
    bool found = db_next(q);
    if (found) {
        out->tenant_id = (uint64_t)db_int(q, 0);
        out->mx_host = arena_str(c->a, db_text(q, 1));
        out->host = arena_str(c->a, db_text(q, 3));
        out->port = (uint16_t)db_int(q, 4);
        found = dir_protocol_parse(db_text(q, 2), &out->protocol) &&
                dir_tls_parse(db_text(q, 5), &out->tls) &&
                dir_recipients_parse(db_text(q, 6), &out->recipients);
    }
    return !db_end(q, c->why) && found;
}

static json_t *describe(struct call *c, const struct dir_domain *d)
{
    json_t *o = json_object();
    struct str hop = host_port_text(c->a, d->host, d->port);
    json_object_set_new(o, "domain", json_of(d->domain));
    json_object_set_new(o, "tenant", json_of(tenant_name_of(c, (int64_t)d->tenant_id)));
    json_object_set_new(o, "mailbox_host",
                        json_of(arena_printf(c->a, "%s:%.*s", dir_protocol_name(d->protocol), STR_ARG(hop))));
    json_object_set_new(o, "tls", json_string(dir_tls_name(d->tls)));
    json_object_set_new(o, "recipients", json_string(dir_recipients_name(d->recipients)));
    struct db_query *q = db_query(c->db, "SELECT COUNT(*) FROM recipient WHERE domain = $1");
    db_bind_text(q, d->domain);
    int64_t listed;
    json_object_set_new(o, "listed", json_integer(db_get_int(q, &listed, NULL) ? 0 : listed));
    json_object_set_new(o, "mx_host", json_of(d->mx_host.n ? d->mx_host : str_of(c->hostname)));
    return o;
}

enum err verb_domain_list(struct call *c)
{
    int64_t tenant = 0;
    if (arg_has(c, "tenant")) {
        enum err e = tenant_id_of(c, arg_text(c, "tenant"), TENANT_ONE, &tenant);
        if (e)
            return e;
    }
    c->result = json_array();
    struct db_query *q =
        db_query(c->db, "SELECT name FROM domain WHERE $1 = 0 OR tenant_id = $1 ORDER BY name");
    db_bind_int(q, tenant);
    struct dir_domain d;
    while (db_next(q))
        if (row_of(c, arena_str(c->a, db_text(q, 0)), &d))
            json_array_append_new(c->result, describe(c, &d));
    return db_end(q, c->why);
}

static enum err missing(struct call *c, struct str name)
{
    buf_set(c->why, "'%.*s' is not an accepted domain; \"kedge domain list\" shows those there are",
            STR_ARG(name));
    return ERR_NOT_FOUND;
}

enum err verb_domain_show(struct call *c)
{
    struct str text, name;
    struct dir_domain d;
    enum err e = arg_need(c, "domain", &text);
    if (!e)
        e = name_normal(c, text, &name);
    if (e)
        return e;
    if (!row_of(c, name, &d))
        return missing(c, name);
    c->result = describe(c, &d);
    return OK;
}

/* "smtp:HOST[:PORT]" or "lmtp:HOST:PORT". */
static enum err mailbox_host(struct call *c, struct str text, struct dir_domain *d)
{
    struct str rest = text;
    struct str protocol = str_cut(&rest, ':');
    if (!rest.p || !dir_protocol_parse(protocol, &d->protocol)) {
        buf_set(c->why, "mailbox host '%.*s' is not smtp:HOST:PORT or lmtp:HOST:PORT", STR_ARG(text));
        return ERR_USAGE;
    }
    return host_port(c, rest, d->protocol == DIR_SMTP ? SMTP_PORT : 0, &d->host, &d->port);
}

/* Takes the arguments that are there over into d. */
static enum err take_arguments(struct call *c, struct dir_domain *d)
{
    enum err e = OK;
    if (arg_has(c, "tenant")) {
        int64_t id;
        e = tenant_id_of(c, arg_text(c, "tenant"), TENANT_ONE, &id);
        d->tenant_id = (uint64_t)id;
    }
    if (!e && arg_has(c, "mailbox_host"))
        e = mailbox_host(c, arg_text(c, "mailbox_host"), d);
    if (!e && arg_has(c, "mx_host"))
        e = name_normal(c, arg_text(c, "mx_host"), &d->mx_host);
    if (e)
        return e;
    if (arg_has(c, "tls") && !dir_tls_parse(arg_text(c, "tls"), &d->tls)) {
        buf_set(c->why, "tls '%.*s' is not none, encrypt or verify", STR_ARG(arg_text(c, "tls")));
        return ERR_USAGE;
    }
    if (arg_has(c, "recipients") && !dir_recipients_parse(arg_text(c, "recipients"), &d->recipients)) {
        buf_set(c->why, "recipients '%.*s' is not any, list or ask", STR_ARG(arg_text(c, "recipients")));
        return ERR_USAGE;
    }
    return OK;
}

static bool same(const struct dir_domain *a, const struct dir_domain *b)
{
    return a->tenant_id == b->tenant_id && str_equal(a->mx_host, b->mx_host) && a->protocol == b->protocol &&
           str_equal(a->host, b->host) && a->port == b->port && a->tls == b->tls &&
           a->recipients == b->recipients;
}

static enum err write_row(struct call *c, const struct dir_domain *d)
{
    struct db_query *q = db_query(
        c->db,
        "INSERT INTO domain (name, " COLUMNS ", created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        " ON CONFLICT (name) DO UPDATE SET tenant_id = excluded.tenant_id, mx_host = excluded.mx_host,"
        " protocol = excluded.protocol, host = excluded.host, port = excluded.port, tls = excluded.tls,"
        " recipients = excluded.recipients");
    db_bind_text(q, d->domain);
    db_bind_int(q, (int64_t)d->tenant_id);
    db_bind_text(q, d->mx_host);
    db_bind_text(q, str_of(dir_protocol_name(d->protocol)));
    db_bind_text(q, d->host);
    db_bind_int(q, d->port);
    db_bind_text(q, str_of(dir_tls_name(d->tls)));
    db_bind_text(q, str_of(dir_recipients_name(d->recipients)));
    db_bind_int(q, clock_wall());
    enum err e = db_run(q, NULL, c->why);
    return e ? e : change_note(c, CHANGE_DOMAIN, d->domain, STR_NONE);
}

static enum err add_one(struct call *c, struct str text)
{
    struct dir_domain d, before;
    struct str name;
    enum err e = name_normal(c, text, &name);
    if (e)
        return e;
    bool exists = row_of(c, name, &before);
    d = exists ? before : (struct dir_domain){.domain = name, .recipients = DIR_RECIPIENTS_LIST};
    e = take_arguments(c, &d);
    if (e)
        return e;
    if (!d.tenant_id || !d.host.n) {
        buf_set(c->why, "%s is missing",
                d.tenant_id ? "--mailbox-host smtp:HOST:PORT or lmtp:HOST:PORT" : "--tenant NAME");
        return ERR_USAGE;
    }
    if (exists && !same(&d, &before)) {
        buf_set(c->why,
                "'%.*s' is an accepted domain already, of tenant '%.*s'; change it with \"kedge domain set\"",
                STR_ARG(name), STR_ARG(tenant_name_of(c, (int64_t)before.tenant_id)));
        return ERR_EXISTS;
    }
    if (!exists)
        e = write_row(c, &d);
    if (!e)
        json_array_append_new(c->result, describe(c, &d));
    return e;
}

enum err verb_domain_add(struct call *c)
{
    return arg_each(c, "domain", add_one);
}

static enum err set_one(struct call *c, struct str text)
{
    struct dir_domain d, before;
    struct str name;
    enum err e = name_normal(c, text, &name);
    if (e)
        return e;
    if (!row_of(c, name, &before))
        return missing(c, name);
    d = before;
    e = take_arguments(c, &d);
    if (!e && !same(&d, &before))
        e = write_row(c, &d);
    if (!e)
        json_array_append_new(c->result, describe(c, &d));
    return e;
}

enum err verb_domain_set(struct call *c)
{
    return arg_each(c, "domain", set_one);
}

static enum err remove_one(struct call *c, struct str text)
{
    struct dir_domain d;
    struct str name;
    enum err e = name_normal(c, text, &name);
    if (e)
        return e;
    if (!row_of(c, name, &d))
        return missing(c, name);
    json_array_append_new(c->result, describe(c, &d));
    e = change_note(c, CHANGE_DOMAIN, name, STR_NONE);
    if (e)
        return e;
    struct db_query *q = db_query(
        c->db, "INSERT INTO change (epoch, kind, key1, key2) SELECT $1, 'recipient', domain, local_part"
               " FROM recipient WHERE domain = $2");
    db_bind_int(q, c->epoch);
    db_bind_text(q, name);
    e = db_run(q, NULL, c->why);
    if (e)
        return e;
    q = db_query(c->db, "DELETE FROM domain WHERE name = $1");
    db_bind_text(q, name);
    return db_run(q, NULL, c->why);
}

enum err verb_domain_remove(struct call *c)
{
    return arg_each(c, "domain", remove_one);
}
