#include "tenant/load_priv.h"

#include "tenant/call.h"

/* One row a kind of change: how to select all, how to find one (by key1, key2), how to put a row, how to
 * remove by keys. The columns of both selects are the same. A false put means that the row makes no sense. */
struct loader {
    enum change_kind kind;
    const char *all, *one;
    bool (*put)(struct directory_write *w, struct db_query *row);
    bool (*remove)(struct directory_write *w, struct str key1, struct str key2);
};

static uint64_t id_of(struct str text)
{
    uint64_t id = 0;
    return str_to_u64(text, &id) ? id : 0;
}

static bool put_tenant(struct directory_write *w, struct db_query *row)
{
    directory_put_tenant(w, (uint64_t)db_int(row, 0), db_text(row, 1));
    return true;
}

static bool remove_tenant(struct directory_write *w, struct str id, struct str none)
{
    (void)none;
    directory_remove_tenant(w, id_of(id));
    return true;
}

static bool put_domain(struct directory_write *w, struct db_query *row)
{
    struct dir_domain d = {.domain = db_text(row, 0),
                           .tenant_id = (uint64_t)db_int(row, 1),
                           .mx_host = db_text(row, 2),
                           .host = db_text(row, 4),
                           .port = (uint16_t)db_int(row, 5)};
    if (!dir_protocol_parse(db_text(row, 3), &d.protocol) || !dir_tls_parse(db_text(row, 6), &d.tls) ||
        !dir_recipients_parse(db_text(row, 7), &d.recipients))
        return false;
    directory_put_domain(w, &d);
    return true;
}

static bool remove_domain(struct directory_write *w, struct str name, struct str none)
{
    (void)none;
    directory_remove_domain(w, name);
    return true;
}

static bool put_recipient(struct directory_write *w, struct db_query *row)
{
    directory_put_recipient(w, db_text(row, 0), db_text(row, 1));
    return true;
}

static bool remove_recipient(struct directory_write *w, struct str domain, struct str local_part)
{
    directory_remove_recipient(w, domain, local_part);
    return true;
}

static bool put_sender(struct directory_write *w, struct db_query *row)
{
    directory_put_sender(w, (uint64_t)db_int(row, 0), db_text(row, 1));
    return true;
}

static bool remove_sender(struct directory_write *w, struct str tenant, struct str domain)
{
    directory_remove_sender(w, id_of(tenant), domain);
    return true;
}

static bool put_network(struct directory_write *w, struct db_query *row)
{
    struct net_prefix p;
    bool good = prefix_parse(db_text(row, 0), &p);
    if (good)
        directory_put_network(w, &p, (uint64_t)db_int(row, 1));
    return good;
}

static bool remove_network(struct directory_write *w, struct str network, struct str none)
{
    (void)none;
    struct net_prefix p;
    bool good = prefix_parse(network, &p);
    if (good)
        directory_remove_network(w, &p);
    return good;
}

static bool sha256_of(struct str hex, uint8_t out[32])
{
    struct buf bytes = {0};
    bool good = hex_decode(&bytes, hex) && bytes.n == 32;
    if (good)
        memcpy(out, bytes.p, 32);
    buf_release(&bytes);
    return good;
}

static bool put_certificate(struct directory_write *w, struct db_query *row)
{
    uint8_t sha256[32];
    bool good = sha256_of(db_text(row, 0), sha256);
    if (good)
        directory_put_certificate(w, sha256, (uint64_t)db_int(row, 1));
    return good;
}

static bool remove_certificate(struct directory_write *w, struct str hex, struct str none)
{
    (void)none;
    uint8_t sha256[32];
    bool good = sha256_of(hex, sha256);
    if (good)
        directory_remove_certificate(w, sha256);
    return good;
}

static bool put_mode(struct directory_write *w, struct db_query *row)
{
    enum mode mode;
    bool good = mode_parse(db_text(row, 2), &mode);
    if (good)
        directory_put_mode(w, (uint64_t)db_int(row, 0), db_text(row, 1), mode, db_int(row, 3));
    return good;
}

static bool remove_mode(struct directory_write *w, struct str tenant, struct str domain)
{
    directory_remove_mode(w, id_of(tenant), domain);
    return true;
}

static bool put_route(struct directory_write *w, struct db_query *row)
{
    directory_put_route(w, (uint64_t)db_int(row, 0), db_text(row, 1), db_text(row, 2),
                        (uint16_t)db_int(row, 3));
    return true;
}

static bool remove_route(struct directory_write *w, struct str tenant, struct str domain)
{
    directory_remove_route(w, id_of(tenant), domain);
    return true;
}

#define TENANT "SELECT id, name FROM tenant"
#define DOMAIN "SELECT name, tenant_id, mx_host, protocol, host, port, tls, recipients FROM domain"
#define RECIPIENT "SELECT domain, local_part FROM recipient"
#define SENDER "SELECT tenant_id, domain FROM sender"
#define NETWORK "SELECT network, tenant_id FROM relay_network"
#define CERTIFICATE "SELECT sha256, tenant_id FROM relay_certificate"
#define MODE "SELECT tenant_id, domain, mode, expires_ms FROM mode_rule"
#define ROUTE "SELECT tenant_id, domain, host, port FROM route"
#define TENANT_AND_DOMAIN " WHERE CAST(tenant_id AS TEXT) = $1 AND domain = $2"

static const struct loader loaders[] = {
    {CHANGE_TENANT, TENANT, TENANT " WHERE CAST(id AS TEXT) = $1 AND $2 = ''", put_tenant, remove_tenant},
    {CHANGE_DOMAIN, DOMAIN, DOMAIN " WHERE name = $1 AND $2 = ''", put_domain, remove_domain},
    {CHANGE_RECIPIENT, RECIPIENT, RECIPIENT " WHERE domain = $1 AND local_part = $2", put_recipient,
     remove_recipient},
    {CHANGE_SENDER, SENDER, SENDER TENANT_AND_DOMAIN, put_sender, remove_sender},
    {CHANGE_NETWORK, NETWORK, NETWORK " WHERE network = $1 AND $2 = ''", put_network, remove_network},
    {CHANGE_CERTIFICATE, CERTIFICATE, CERTIFICATE " WHERE sha256 = $1 AND $2 = ''", put_certificate,
     remove_certificate},
    {CHANGE_MODE, MODE, MODE TENANT_AND_DOMAIN, put_mode, remove_mode},
    {CHANGE_ROUTE, ROUTE, ROUTE TENANT_AND_DOMAIN, put_route, remove_route},
};
enum { LOADERS = sizeof loaders / sizeof *loaders };

static enum err senseless(const struct loader *l, struct buf *why)
{
    buf_set(why, "a %s in the database makes no sense; was it edited by hand?", change_name(l->kind));
    return ERR_CORRUPT;
}

enum err load_changed(struct db *db, struct directory_write *w, struct str kind, struct str key1,
                      struct str key2, struct buf *why)
{
    for (size_t i = 0; i < LOADERS; i++) {
        const struct loader *l = &loaders[i];
        if (!str_equal(kind, str_of(change_name(l->kind))))
            continue;
        struct db_query *q = db_query(db, l->one);
        db_bind_text(q, key1);
        db_bind_text(q, key2);
        bool good = db_next(q) ? l->put(w, q) : l->remove(w, key1, key2);
        enum err e = db_end(q, why);
        return e ? e : good ? OK : senseless(l, why);
    }
    return OK; /* keys: the keystore's business */
}

enum err load_everything(struct db *db, struct directory_write *w, struct buf *why)
{
    for (size_t i = 0; i < LOADERS; i++) {
        const struct loader *l = &loaders[i];
        bool good = true;
        struct db_query *q = db_query(db, l->all);
        while (good && db_next(q))
            good = l->put(w, q);
        enum err e = db_end(q, why);
        if (e || !good)
            return e ? e : senseless(l, why);
    }
    return OK;
}
