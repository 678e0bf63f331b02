#include "directory/write.h"

#include "directory/directory_priv.h"

struct directory_write {
    struct store_write w;
};

struct directory_write *directory_write_begin(struct directory *d, struct buf *why)
{
    struct directory_write *w = must_alloc(calloc(1, sizeof *w));
    if (!store_write_begin(d->store, &w->w, why))
        return w;
    free(w);
    return NULL;
}

enum err directory_write_commit(struct directory_write *w, uint64_t epoch, struct str source, struct buf *why)
{
    store_put_u64(&w->w, STR("E"), epoch);
    store_put(&w->w, STR("S"), source);
    enum err e = store_write_commit(&w->w, why);
    free(w);
    return e;
}

void directory_write_abort(struct directory_write *w)
{
    store_write_abort(&w->w);
    free(w);
}

void directory_remove_all(struct directory_write *w)
{
    store_remove_all(&w->w);
}

/* Frees the name that the tenant has now, so that it can be another's. */
static void forget_tenant_name(struct directory_write *w, uint64_t id)
{
    struct store_key key;
    struct str name;
    key_tenant(&key, id);
    if (!store_get(w->w.seen, store_key_str(&key), &name))
        return;
    key_tenant_name(&key, name);
    if (store_get_u64(w->w.seen, store_key_str(&key)) == id)
        store_remove(&w->w, store_key_str(&key));
}

void directory_put_tenant(struct directory_write *w, uint64_t id, struct str name)
{
    struct store_key key;
    forget_tenant_name(w, id);
    key_tenant(&key, id);
    store_put(&w->w, store_key_str(&key), name);
    key_tenant_name(&key, name);
    store_put_u64(&w->w, store_key_str(&key), id);
}

void directory_remove_tenant(struct directory_write *w, uint64_t id)
{
    struct store_key key;
    forget_tenant_name(w, id);
    key_tenant(&key, id);
    store_remove(&w->w, store_key_str(&key));
}

void directory_put_domain(struct directory_write *w, const struct dir_domain *domain)
{
    struct buf record = {0};
    buf_add_u64(&record, domain->tenant_id);
    buf_add_char(&record, (char)domain->protocol);
    buf_add_char(&record, (char)domain->tls);
    buf_add_char(&record, (char)domain->recipients);
    buf_add_u16(&record, domain->port);
    pack_str(&record, domain->host);
    pack_str(&record, domain->mx_host);
    struct store_key key;
    key_domain(&key, domain->domain);
    store_put(&w->w, store_key_str(&key), buf_str(&record));
    buf_release(&record);
}

void directory_remove_domain(struct directory_write *w, struct str domain)
{
    struct store_key key;
    key_domain(&key, domain);
    store_remove(&w->w, store_key_str(&key));
}

void directory_put_recipient(struct directory_write *w, struct str domain, struct str local_part)
{
    struct store_key key;
    key_recipient(&key, domain, local_part);
    store_put(&w->w, store_key_str(&key), STR_NONE);
}

void directory_remove_recipient(struct directory_write *w, struct str domain, struct str local_part)
{
    struct store_key key;
    key_recipient(&key, domain, local_part);
    store_remove(&w->w, store_key_str(&key));
}

void directory_put_sender(struct directory_write *w, uint64_t tenant_id, struct str domain)
{
    struct store_key key;
    key_sender(&key, tenant_id, domain);
    store_put(&w->w, store_key_str(&key), STR_NONE);
}

void directory_remove_sender(struct directory_write *w, uint64_t tenant_id, struct str domain)
{
    struct store_key key;
    key_sender(&key, tenant_id, domain);
    store_remove(&w->w, store_key_str(&key));
}

/* Writes the lengths in use anew, longest first, from their counts. */
static void write_lengths(struct directory_write *w, const struct addr *family)
{
    struct buf lengths = {0};
    struct store_key key;
    for (int bits = addr_is_v4(family) ? 32 : 128; bits >= 0; bits--) {
        key_length(&key, family, (unsigned)bits);
        if (store_get_u64(w->w.seen, store_key_str(&key)))
            buf_add_char(&lengths, (char)bits);
    }
    key_lengths(&key, family);
    store_put(&w->w, store_key_str(&key), buf_str(&lengths));
    buf_release(&lengths);
}

/* One network more or fewer of this length. */
static void count_length(struct directory_write *w, const struct net_prefix *network, bool more)
{
    struct store_key key;
    key_length(&key, &network->addr, network->bits);
    uint64_t count = store_get_u64(w->w.seen, store_key_str(&key));
    store_put_u64(&w->w, store_key_str(&key), more ? count + 1 : count - (count > 0));
    if (count <= 1)
        write_lengths(w, &network->addr);
}

void directory_put_network(struct directory_write *w, const struct net_prefix *network, uint64_t tenant_id)
{
    struct store_key key;
    key_network(&key, &network->addr, network->bits);
    bool is_new = store_get_u64(w->w.seen, store_key_str(&key)) == 0;
    store_put_u64(&w->w, store_key_str(&key), tenant_id);
    if (is_new)
        count_length(w, network, true);
}

void directory_remove_network(struct directory_write *w, const struct net_prefix *network)
{
    struct store_key key;
    key_network(&key, &network->addr, network->bits);
    if (store_get_u64(w->w.seen, store_key_str(&key)) == 0)
        return;
    store_remove(&w->w, store_key_str(&key));
    count_length(w, network, false);
}

void directory_put_certificate(struct directory_write *w, const uint8_t sha256[32], uint64_t tenant_id)
{
    struct store_key key;
    key_certificate(&key, sha256);
    store_put_u64(&w->w, store_key_str(&key), tenant_id);
}

void directory_remove_certificate(struct directory_write *w, const uint8_t sha256[32])
{
    struct store_key key;
    key_certificate(&key, sha256);
    store_remove(&w->w, store_key_str(&key));
}

static void put_rule(struct directory_write *w, char table, uint64_t tenant_id, struct str domain,
                     const struct buf *record)
{
    struct store_key key;
    key_rule(&key, table, tenant_id, domain);
    store_put(&w->w, store_key_str(&key), buf_str(record));
}

static void remove_rule(struct directory_write *w, char table, uint64_t tenant_id, struct str domain)
{
    struct store_key key;
    key_rule(&key, table, tenant_id, domain);
    store_remove(&w->w, store_key_str(&key));
}

void directory_put_mode(struct directory_write *w, uint64_t tenant_id, struct str domain, enum mode mode,
                        int64_t expires_ms)
{
    struct buf record = {0};
    buf_add_char(&record, (char)mode);
    buf_add_u64(&record, (uint64_t)expires_ms);
    put_rule(w, 'm', tenant_id, domain, &record);
    buf_release(&record);
}

void directory_remove_mode(struct directory_write *w, uint64_t tenant_id, struct str domain)
{
    remove_rule(w, 'm', tenant_id, domain);
}

void directory_put_route(struct directory_write *w, uint64_t tenant_id, struct str domain, struct str host,
                         uint16_t port)
{
    struct buf record = {0};
    buf_add_u16(&record, port);
    pack_str(&record, host);
    put_rule(w, 'o', tenant_id, domain, &record);
    buf_release(&record);
}

void directory_remove_route(struct directory_write *w, uint64_t tenant_id, struct str domain)
{
    remove_rule(w, 'o', tenant_id, domain);
}
