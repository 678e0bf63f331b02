#include "tenant/domain.h"

#define COLUMNS "tenant_id, mx_host, protocol, host, port, tls, recipients, dnssec, dane, wave"

static bool row_read(struct call *c, struct db_query *q, struct domain_row *out)
{
    out->d.tenant_id = (uint64_t)db_int(q, 0);
    out->d.mx_host = arena_str(c->a, db_text(q, 1));
    out->d.host = arena_str(c->a, db_text(q, 3));
    out->d.port = (uint16_t)db_int(q, 4);
    out->dnssec = db_int(q, 7) != 0;
    out->dane = db_int(q, 8) != 0;
    out->wave = arena_str(c->a, db_text(q, 9));
    return dir_protocol_parse(db_text(q, 2), &out->d.protocol) && dir_tls_parse(db_text(q, 5), &out->d.tls) &&
           dir_recipients_parse(db_text(q, 6), &out->d.recipients);
}

enum err domain_load(struct call *c, struct str name, struct domain_row *out)
{
    *out = (struct domain_row){.d.domain = name};
    struct db_query *q = db_query(c->db, "SELECT " COLUMNS " FROM domain WHERE name = $1");
    db_bind_text(q, name);
    bool found = db_next(q);
    bool good = found && row_read(c, q, out);
    enum err e = db_end(q, c->why);
    if (e || good)
        return e;
    if (found)
        buf_set(c->why, "the row of domain '%.*s' makes no sense; was it edited by hand?", STR_ARG(name));
    else
        buf_set(c->why, "'%.*s' is not an accepted domain; \"kedge domain list\" shows those there are",
                STR_ARG(name));
    return found ? ERR_CORRUPT : ERR_NOT_FOUND;
}

enum err domain_write(struct call *c, const struct domain_row *row)
{
    const struct dir_domain *d = &row->d;
    struct db_query *q = db_query(
        c->db,
        "INSERT INTO domain (name, " COLUMNS ", created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,"
        " $11, $12) ON CONFLICT (name) DO UPDATE SET tenant_id = excluded.tenant_id, mx_host ="
        " excluded.mx_host, protocol = excluded.protocol, host = excluded.host, port = excluded.port,"
        " tls = excluded.tls, recipients = excluded.recipients, dnssec = excluded.dnssec,"
        " dane = excluded.dane, wave = excluded.wave");
    db_bind_text(q, d->domain);
    db_bind_int(q, (int64_t)d->tenant_id);
    db_bind_text(q, d->mx_host);
    db_bind_text(q, str_of(dir_protocol_name(d->protocol)));
    db_bind_text(q, d->host);
    db_bind_int(q, d->port);
    db_bind_text(q, str_of(dir_tls_name(d->tls)));
    db_bind_text(q, str_of(dir_recipients_name(d->recipients)));
    db_bind_int(q, row->dnssec);
    db_bind_int(q, row->dane);
    db_bind_text(q, row->wave);
    db_bind_int(q, clock_wall());
    enum err e = db_run(q, NULL, c->why);
    return e ? e : change_note(c, CHANGE_DOMAIN, d->domain, STR_NONE);
}

json_t *domain_describe(struct call *c, const struct domain_row *row)
{
    const struct dir_domain *d = &row->d;
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
    json_object_set_new(o, "dnssec", json_boolean(row->dnssec));
    json_object_set_new(o, "dane", json_boolean(row->dane));
    if (row->wave.n)
        json_object_set_new(o, "tag", json_of(row->wave));
    return o;
}
