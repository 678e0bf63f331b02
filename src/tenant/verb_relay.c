#include "tenant/verbs_priv.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "net/prefix.h"

/* A relay is a network or a client certificate; both are one noun, so what is named decides the table. */
struct relay {
    struct str network; /* "192.0.2.0/24", or empty */
    struct str sha256;  /* hex, or empty */
    struct str subject; /* of a certificate that was given as a file */
};

static enum err read_network(struct call *c, struct str text, struct relay *out)
{
    struct net_prefix p;
    char formatted[ADDR_TEXT];
    if (!prefix_parse(text, &p)) {
        buf_set(
            c->why,
            "'%.*s' is not a network (192.0.2.0/24, 2001:db8::/32 or an address; no bits behind the prefix)",
            STR_ARG(text));
        return ERR_USAGE;
    }
    out->network = arena_str(c->a, str_of(prefix_format(&p, formatted)));
    return OK;
}

static struct str hex_of(struct arena *a, const void *p, size_t n)
{
    struct buf hex = {0};
    hex_append(&hex, p, n);
    struct str s = arena_str(a, buf_str(&hex));
    buf_release(&hex);
    return s;
}

static enum err read_certificate(struct call *c, struct str pem, struct relay *out)
{
    BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
    X509 *cert = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
    uint8_t digest[32];
    unsigned n = sizeof digest;
    char subject[256] = "";
    bool good = cert && X509_digest(cert, EVP_sha256(), digest, &n);
    if (good) {
        X509_NAME_oneline(X509_get_subject_name(cert), subject, sizeof subject);
        out->sha256 = hex_of(c->a, digest, sizeof digest);
        out->subject = arena_str(c->a, str_of(subject));
    } else {
        buf_set(c->why, "the file holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
    }
    X509_free(cert);
    BIO_free(in);
    return good ? OK : ERR_USAGE;
}

static enum err read_sha256(struct call *c, struct str text, struct relay *out)
{
    struct buf bytes = {0};
    struct str digits = text;
    bool good = hex_decode(&bytes, digits) && bytes.n == 32;
    if (good)
        out->sha256 = hex_of(c->a, bytes.p, bytes.n);
    else
        buf_set(c->why, "'%.*s' is not a SHA-256 in hexadecimal (64 digits)", STR_ARG(text));
    buf_release(&bytes);
    return good ? OK : ERR_USAGE;
}

static enum err read_relay(struct call *c, struct relay *out)
{
    *out = (struct relay){0};
    int given = arg_has(c, "network") + arg_has(c, "certificate_pem") + arg_has(c, "sha256");
    if (given != 1) {
        buf_set(c->why,
                "say which relay: exactly one of --network CIDR, --certificate FILE and --sha256 HEX");
        return ERR_USAGE;
    }
    if (arg_has(c, "network"))
        return read_network(c, arg_text(c, "network"), out);
    if (arg_has(c, "sha256"))
        return read_sha256(c, arg_text(c, "sha256"), out);
    return read_certificate(c, arg_text(c, "certificate_pem"), out);
}

static struct str key_of(const struct relay *r)
{
    return r->network.n ? r->network : r->sha256;
}

static json_t *describe(struct call *c, const struct relay *r, int64_t tenant)
{
    json_t *o = json_object();
    json_object_set_new(o, "relay", json_of(key_of(r)));
    json_object_set_new(o, "kind", json_string(r->network.n ? "network" : "certificate"));
    json_object_set_new(o, "tenant", json_of(tenant_name_of(c, tenant)));
    json_object_set_new(o, "subject", r->subject.n ? json_of(r->subject) : json_null());
    return o;
}

/* The tenant whose relay this is, and the subject on record; ERR_NOT_FOUND. */
static enum err owner_of(struct call *c, struct relay *r, int64_t *tenant)
{
    struct db_query *q =
        db_query(c->db, r->network.n ? "SELECT tenant_id, '' FROM relay_network WHERE network = $1"
                                     : "SELECT tenant_id, subject FROM relay_certificate WHERE sha256 = $1");
    db_bind_text(q, key_of(r));
    bool found = db_next(q);
    if (found) {
        *tenant = db_int(q, 0);
        if (!r->subject.n)
            r->subject = arena_str(c->a, db_text(q, 1));
    }
    enum err e = db_end(q, c->why);
    if (e || found)
        return e;
    buf_set(c->why, "there is no relay %.*s; \"kedge relay list\" shows those there are", STR_ARG(key_of(r)));
    return ERR_NOT_FOUND;
}

enum err verb_relay_list(struct call *c)
{
    int64_t tenant = 0;
    if (arg_has(c, "tenant")) {
        enum err e = tenant_id_of(c, arg_text(c, "tenant"), TENANT_ONE, &tenant);
        if (e)
            return e;
    }
    c->result = json_array();
    struct db_query *q = db_query(
        c->db, "SELECT network, '', '', tenant_id FROM relay_network WHERE $1 = 0 OR tenant_id = $1 UNION ALL"
               " SELECT '', sha256, subject, tenant_id FROM relay_certificate WHERE $1 = 0 OR tenant_id = $1"
               " ORDER BY 4, 1, 2");
    db_bind_int(q, tenant);
    while (db_next(q)) {
        struct relay r = {.network = db_text(q, 0), .sha256 = db_text(q, 1), .subject = db_text(q, 2)};
        json_array_append_new(c->result, describe(c, &r, db_int(q, 3)));
    }
    return db_end(q, c->why);
}

enum err verb_relay_show(struct call *c)
{
    struct relay r;
    int64_t tenant;
    enum err e = read_relay(c, &r);
    if (!e)
        e = owner_of(c, &r, &tenant);
    if (!e)
        c->result = describe(c, &r, tenant);
    return e;
}

static enum err note(struct call *c, const struct relay *r)
{
    return change_note(c, r->network.n ? CHANGE_NETWORK : CHANGE_CERTIFICATE, key_of(r), STR_NONE);
}

static enum err write_row(struct call *c, const struct relay *r, int64_t tenant)
{
    struct db_query *q = db_query(
        c->db,
        r->network.n
            ? "INSERT INTO relay_network (network, tenant_id, created_ms) VALUES ($1, $2, $3)"
              " ON CONFLICT (network) DO UPDATE SET tenant_id = excluded.tenant_id"
            : "INSERT INTO relay_certificate (sha256, tenant_id, created_ms, subject)"
              " VALUES ($1, $2, $3, $4) ON CONFLICT (sha256) DO UPDATE SET tenant_id = excluded.tenant_id,"
              " subject = excluded.subject");
    db_bind_text(q, key_of(r));
    db_bind_int(q, tenant);
    db_bind_int(q, clock_wall());
    if (!r->network.n)
        db_bind_text(q, r->subject);
    enum err e = db_run(q, NULL, c->why);
    return e ? e : note(c, r);
}

static enum err read_both(struct call *c, struct relay *r, int64_t *tenant)
{
    struct str name;
    enum err e = read_relay(c, r);
    if (!e)
        e = arg_need(c, "tenant", &name);
    return e ? e : tenant_id_of(c, name, TENANT_ONE, tenant);
}

enum err verb_relay_add(struct call *c)
{
    struct relay r;
    int64_t tenant, owner = 0;
    enum err e = read_both(c, &r, &tenant);
    if (e)
        return e;
    e = owner_of(c, &r, &owner);
    if (e == OK && owner != tenant) {
        buf_set(c->why, "%.*s is a relay of tenant '%.*s' already; \"kedge relay set\" gives it to another",
                STR_ARG(key_of(&r)), STR_ARG(tenant_name_of(c, owner)));
        return ERR_EXISTS;
    }
    if (e == ERR_NOT_FOUND)
        e = write_row(c, &r, tenant);
    if (!e)
        c->result = describe(c, &r, tenant);
    return e;
}

enum err verb_relay_set(struct call *c)
{
    struct relay r;
    int64_t tenant, owner;
    enum err e = read_both(c, &r, &tenant);
    if (!e)
        e = owner_of(c, &r, &owner);
    if (!e && owner != tenant)
        e = write_row(c, &r, tenant);
    if (!e)
        c->result = describe(c, &r, tenant);
    return e;
}

enum err verb_relay_remove(struct call *c)
{
    struct relay r;
    int64_t tenant;
    enum err e = read_relay(c, &r);
    if (!e)
        e = owner_of(c, &r, &tenant);
    if (e)
        return e;
    struct db_query *q = db_query(c->db, r.network.n ? "DELETE FROM relay_network WHERE network = $1"
                                                     : "DELETE FROM relay_certificate WHERE sha256 = $1");
    db_bind_text(q, key_of(&r));
    e = db_run(q, NULL, c->why);
    if (!e)
        e = note(c, &r);
    if (!e)
        c->result = describe(c, &r, tenant);
    return e;
}
