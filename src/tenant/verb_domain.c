#include "tenant/allocate.h"
#include "tenant/bulk.h"
#include "tenant/domain.h"
#include "tenant/verbs_priv.h"

enum { SMTP_PORT = 25, PAGE = 1000 };

struct page {
    struct call *outer;
    json_t *rows;
    struct arena after_in;
    struct str after; /* the last name of the page before */
};

static enum err read_page(struct call *c, void *ctx)
{
    struct page *p = ctx;
    int64_t tenant = 0;
    enum err e =
        arg_has(p->outer, "tenant") ? tenant_id_of(c, arg_text(p->outer, "tenant"), TENANT_ONE, &tenant) : OK;
    if (e)
        return e;
    struct db_query *q =
        db_query(c->db, "SELECT name FROM domain WHERE name > $1 AND ($2 = 0 OR tenant_id = $2)"
                        " ORDER BY name LIMIT $3");
    db_bind_text(q, p->after);
    db_bind_int(q, tenant);
    db_bind_int(q, PAGE);
    struct domain_row row = {0};
    while (!e && db_next(q)) {
        e = domain_load(c, arena_str(c->a, db_text(q, 0)), &row);
        if (!e)
            json_array_append_new(p->rows, domain_describe(c, &row));
    }
    enum err ended = db_end(q, e ? NULL : c->why);
    if (e || ended)
        return e ? e : ended;
    arena_release(&p->after_in);
    p->after = arena_str(&p->after_in, row.d.domain);
    return OK;
}

/* In pages: all but the last are sent as progress, {"rows": [...]}. */
enum err verb_domain_list(struct call *c)
{
    struct page p = {.outer = c};
    enum err e;
    for (;;) {
        p.rows = json_array();
        e = tenant_transact(c->store, TENANT_READ, read_page, &p, c->why);
        if (e || json_array_size(p.rows) < PAGE)
            break;
        json_t *line = json_object();
        json_object_set_new(line, "rows", p.rows);
        p.rows = NULL;
        bool stops = tenant_is_stopping(c->store);
        if (!call_progress(c, line) || stops) {
            buf_set(c->why,
                    stops ? "kedge-control is stopping: the list is not whole" : "the caller has left");
            e = ERR_CLOSED;
            break;
        }
    }
    arena_release(&p.after_in);
    if (e)
        json_decref(p.rows);
    else
        c->result = p.rows;
    return e;
}

enum err verb_domain_show(struct call *c)
{
    struct str text, name = STR_NONE;
    struct domain_row row;
    enum err e = arg_need(c, "domain", &text);
    if (!e)
        e = name_normal(c, text, &name);
    if (!e)
        e = domain_load(c, name, &row);
    if (!e)
        c->result = domain_describe(c, &row);
    return e;
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

/* Takes the arguments that are there over into the row. */
static enum err take_arguments(struct call *c, struct domain_row *row)
{
    struct dir_domain *d = &row->d;
    if (arg_has(c, "tag"))
        row->wave = arg_text(c, "tag");
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

static void show(struct call *c, const struct domain_row *row)
{
    if (c->result)
        json_array_append_new(c->result, domain_describe(c, row));
}

/* A new domain begins in the signed zone where there is one that is open. Not when its MX record is to name
 * another host; and where a zone or DANE was asked for, it must be possible. */
static enum err provision(struct call *c, struct domain_row *row)
{
    struct mx_host host;
    bool dane = arg_is_set(c, "dane"), asked = dane || arg_has(c, "zone");
    if (row->d.mx_host.n && asked) {
        buf_set(c->why, "--mx-host names a host outside of the MX zones; leave it out, or --zone and --dane");
        return ERR_USAGE;
    }
    if (row->d.mx_host.n)
        return OK;
    enum err e = mx_host_allocate(c, row->d.domain, (int64_t)row->d.tenant_id, arg_text(c, "zone"), &host);
    if (e == ERR_REFUSED && !asked) {
        buf_clear(c->why);
        return OK;
    }
    if (!e && dane)
        e = mx_host_set_dane(c, &host, true);
    if (e)
        return e;
    row->d.mx_host = host.name;
    row->dnssec = true;
    row->dane = dane;
    return OK;
}

static enum err check_new(struct call *c, const struct dir_domain *d)
{
    if (d->tenant_id && d->host.n)
        return OK;
    buf_set(c->why, "%s is missing",
            d->tenant_id ? "--mailbox-host smtp:HOST:PORT or lmtp:HOST:PORT" : "--tenant NAME");
    return ERR_USAGE;
}

static enum err add_one(struct call *c, struct str text, bool *changed)
{
    struct domain_row row, before;
    struct str name;
    enum err e = name_normal(c, text, &name);
    if (e)
        return e;
    e = domain_load(c, name, &before);
    if (e && e != ERR_NOT_FOUND)
        return e;
    *changed = e == ERR_NOT_FOUND;
    row = *changed ? (struct domain_row){.d = {.domain = name, .recipients = DIR_RECIPIENTS_LIST}} : before;
    e = take_arguments(c, &row);
    if (!e)
        e = check_new(c, &row.d);
    if (e)
        return e;
    if (!*changed && (!same(&row.d, &before.d) || !str_equal(row.wave, before.wave))) {
        buf_set(c->why,
                "'%.*s' is an accepted domain already, of tenant '%.*s'; change it with \"kedge domain set\"",
                STR_ARG(name), STR_ARG(tenant_name_of(c, (int64_t)before.d.tenant_id)));
        return ERR_EXISTS;
    }
    if (*changed)
        e = provision(c, &row);
    if (!e && *changed)
        e = domain_write(c, &row);
    if (!e)
        show(c, &row);
    return e;
}

enum err verb_domain_add(struct call *c)
{
    return bulk_run(c, BULK_NAMED, add_one);
}

static enum err set_one(struct call *c, struct str text, bool *changed)
{
    struct domain_row row, before;
    struct str name;
    enum err e = name_normal(c, text, &name);
    if (!e)
        e = domain_load(c, name, &before);
    if (e)
        return e;
    row = before;
    e = take_arguments(c, &row);
    if (e)
        return e;
    if (row.dnssec && !str_equal(row.d.mx_host, before.d.mx_host)) {
        buf_set(c->why,
                "the MX host of '%.*s' is %.*s, in an MX zone; first: kedge domain dnssec disable %.*s",
                STR_ARG(name), STR_ARG(before.d.mx_host), STR_ARG(name));
        return ERR_REFUSED;
    }
    *changed = !same(&row.d, &before.d) || !str_equal(row.wave, before.wave);
    if (*changed && row.d.tenant_id != before.d.tenant_id)
        e = mx_host_move(c, name, (int64_t)row.d.tenant_id);
    if (!e && *changed)
        e = domain_write(c, &row);
    if (!e)
        show(c, &row);
    return e;
}

enum err verb_domain_set(struct call *c)
{
    return bulk_run(c, BULK_NAMED, set_one);
}

/* The rows themselves; their changes are noted before. */
static enum err delete_rows(struct call *c, struct str name)
{
    enum err e = change_note(c, CHANGE_DOMAIN, name, STR_NONE);
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

static enum err remove_one(struct call *c, struct str text, bool *changed)
{
    struct domain_row row;
    struct str name;
    int64_t until_ms;
    enum err e = name_normal(c, text, &name);
    if (!e)
        e = domain_load(c, name, &row);
    if (e)
        return e;
    json_t *was = c->result ? domain_describe(c, &row) : NULL;
    e = mx_host_leave(c, name, &until_ms);
    if (!e)
        e = delete_rows(c, name);
    if (was && !e) {
        json_object_set_new(was, "mx_host_until", json_time(until_ms));
        json_array_append(c->result, was);
    }
    json_decref(was);
    *changed = true;
    return e;
}

enum err verb_domain_remove(struct call *c)
{
    return bulk_run(c, BULK_NAMED, remove_one);
}
