/* Keys by name: certificates that were imported, or made here, for names that are not in an MX zone; and what
 * the verbs list, show, add, set and remove have in common with key groups. */
#include "keys/verbs_priv.h"

#include "dns/name.h"
#include "keys/describe.h"
#include "keys/verb_group_priv.h"
#include "tls/pair.h"

enum { SELF_SIGNED_DAYS = 3650, NAMES_MAX = 100 };

/* Names as they can stand in a certificate: "*." only in front. */
static enum err cert_name(struct call *c, struct str text, struct str *out)
{
    struct str name = str_starts(text, STR("*.")) ? str_from(text, 2) : text;
    enum err e = name_normal(c, name, out);
    if (!e && name.n != text.n)
        *out = arena_printf(c->a, "*.%.*s", STR_ARG(*out));
    return e;
}

static json_t *names_of(struct call *c, int64_t key_set)
{
    json_t *names = json_array();
    struct db_query *q = db_query(c->db, "SELECT name FROM key_name WHERE key_set_id = $1 ORDER BY name");
    db_bind_int(q, key_set);
    while (db_next(q))
        json_array_append_new(names, json_of(db_text(q, 0)));
    (void)!db_end(q, NULL);
    return names;
}

static json_t *hex_json(const uint8_t *p, size_t n)
{
    struct buf hex = {0};
    hex_append(&hex, p, n);
    json_t *text = json_of(buf_str(&hex));
    buf_release(&hex);
    return text;
}

/* Facts of the first pair; never the key itself. */
static enum err describe(struct call *c, int64_t key_set, bool is_default, json_t **out)
{
    struct tls_identity identity;
    struct tls_pair_facts facts;
    struct key_row row;
    enum err e = keys_find(c, id_text(c->a, key_set), &row);
    if (e != ERR_NOT_FOUND)
        return e ? e : group_describe(c, &row, out);
    e = key_set_load(c->db, c->a, key_set, &identity, c->why);
    if (!e)
        e = tls_pair_inspect(&identity.pair[0], c->a, &facts, c->why);
    if (e)
        return e;
    json_t *o = json_object();
    json_object_set_new(o, "key", json_integer(key_set));
    json_object_set_new(o, "group", json_null());
    json_object_set_new(o, "default", json_boolean(is_default));
    json_object_set_new(o, "names", names_of(c, key_set));
    json_object_set_new(o, "algorithm", json_string(facts.algorithm));
    json_object_set_new(o, "subject", json_of(facts.subject));
    json_object_set_new(o, "issuer", json_of(facts.issuer));
    json_object_set_new(o, "chain", json_integer((json_int_t)identity.pair[0].chain_n));
    json_object_set_new(o, "not_before", json_time(facts.not_before * 1000));
    json_object_set_new(o, "not_after", json_time(facts.not_after * 1000));
    json_object_set_new(o, "sha256", hex_json(facts.sha256, sizeof facts.sha256));
    json_object_set_new(o, "spki_sha256", hex_json(facts.spki_sha256, sizeof facts.spki_sha256));
    *out = o;
    return OK;
}

enum err verb_key_list(struct call *c)
{
    c->result = json_array();
    struct db_query *q = db_query(c->db, "SELECT id, is_default FROM key_set ORDER BY id");
    enum err e = OK;
    while (!e && db_next(q)) {
        json_t *o;
        e = describe(c, db_int(q, 0), db_int(q, 1) != 0, &o);
        if (!e)
            json_array_append_new(c->result, o);
    }
    enum err ended = db_end(q, e ? NULL : c->why);
    return e ? e : ended;
}

/* The key set by its number, or by a name that it serves. */
static enum err find(struct call *c, int64_t *id, bool *is_default)
{
    struct str text;
    uint32_t number = 0;
    enum err e = arg_need(c, "key", &text);
    if (e)
        return e;
    (void)str_to_u32(text, &number);
    struct db_query *q = db_query(c->db, "SELECT id, is_default FROM key_set WHERE id = $1 OR id IN"
                                         " (SELECT key_set_id FROM key_name WHERE name = $2) OR grp = $2");
    db_bind_int(q, number);
    db_bind_text(q, arena_lower(c->a, text));
    bool found = db_next(q);
    if (found) {
        *id = db_int(q, 0);
        *is_default = db_int(q, 1) != 0;
    }
    e = db_end(q, c->why);
    if (e || found)
        return e;
    buf_set(c->why,
            "there is no key '%.*s' (a number, a group or a name); \"kedge key list\" shows those there are",
            STR_ARG(text));
    return ERR_NOT_FOUND;
}

enum err verb_key_show(struct call *c)
{
    int64_t id;
    bool is_default;
    enum err e = find(c, &id, &is_default);
    if (!e)
        e = describe(c, id, is_default, &c->result);
    if (!e && json_object_get(c->result, "keys"))
        keys_tell(c->result);
    return e;
}

static enum err read_names(struct call *c, struct str *names, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < arg_count(c, "name"); i++) {
        if (*n == NAMES_MAX) {
            buf_set(c->why, "more than %d names", NAMES_MAX);
            return ERR_USAGE;
        }
        enum err e = cert_name(c, arg_at(c, "name", i), &names[(*n)++]);
        if (e)
            return e;
    }
    return OK;
}

/* Without --name, an imported certificate serves its own DNS names. */
static enum err names_from_pair(struct call *c, const struct tls_pair *pair, struct str *names, size_t *n)
{
    struct tls_pair_facts facts;
    enum err e = tls_pair_inspect(pair, c->a, &facts, c->why);
    for (struct str rest = facts.dns_names, word; !e && *n < NAMES_MAX && (word = str_word(&rest)).n;)
        if (!cert_name(c, word, &names[*n]))
            (*n)++;
    return e;
}

/* The pair from files or made here, and the names that it is to serve. */
static enum err read_pair(struct call *c, struct tls_pair *pair, struct str *names, size_t *n)
{
    bool self_sign = arg_has(c, "self_sign");
    bool files = arg_has(c, "certificate_pem") && arg_has(c, "key_pem");
    if (self_sign == files || arg_has(c, "certificate_pem") != arg_has(c, "key_pem")) {
        buf_set(c->why, "say where the key comes from: --self-sign NAME, or --cert FILE with --key FILE");
        return ERR_USAGE;
    }
    enum err e;
    if (self_sign) {
        e = cert_name(c, arg_text(c, "self_sign"), &names[0]);
        if (!e)
            e = read_names(c, names + 1, n);
        *n += 1;
        if (!e)
            tls_pair_self_signed(c->a, TLS_KEY_P256, names, *n, clock_wall() / 1000, SELF_SIGNED_DAYS, pair);
        return e;
    }
    e = tls_pair_from_pem(c->a, arg_text(c, "certificate_pem"), arg_text(c, "key_pem"), pair, c->why);
    if (e)
        return e;
    e = read_names(c, names, n);
    return e || *n ? e : names_from_pair(c, pair, names, n);
}

/* In an MX zone, a key without its TLSA record would break the mail of every sender who verifies. */
static enum err not_in_zone(struct call *c, struct str name)
{
    struct db_query *q = db_query(c->db, "SELECT name FROM zone");
    struct str zone = STR_NONE;
    while (!zone.n && db_next(q))
        if (str_equal(db_text(q, 0), name) ||
            str_ends(name, arena_printf(c->a, ".%.*s", STR_ARG(db_text(q, 0)))))
            zone = arena_str(c->a, db_text(q, 0));
    enum err e = db_end(q, c->why);
    if (e || !zone.n)
        return e;
    buf_set(c->why,
            "%.*s is in the MX zone %.*s: what is served there must be in its TLSA records first, so its "
            "keys come "
            "from key groups; make one with \"kedge key add --group NAME\", hand in a new certificate with "
            "\"kedge "
            "key stage\"",
            STR_ARG(name), STR_ARG(zone));
    return ERR_REFUSED;
}

/* A name is served by one key set: the one that it was given to last. */
static enum err give_names(struct call *c, int64_t key_set, const struct str *names, size_t n)
{
    enum err e = OK;
    for (size_t i = 0; !e && i < n; i++) {
        e = not_in_zone(c, names[i]);
        if (e)
            return e;
        struct db_query *q =
            db_query(c->db, "INSERT INTO key_name (name, key_set_id) VALUES ($1, $2)"
                            " ON CONFLICT (name) DO UPDATE SET key_set_id = excluded.key_set_id");
        db_bind_text(q, names[i]);
        db_bind_int(q, key_set);
        e = db_run(q, NULL, c->why);
        if (!e)
            e = change_note(c, CHANGE_KEY_NAME, names[i], STR_NONE);
    }
    return e;
}

static enum err make_default(struct call *c, int64_t key_set)
{
    struct db_query *q =
        db_query(c->db, "UPDATE key_set SET is_default = CASE WHEN id = $1 THEN 1 ELSE 0 END");
    db_bind_int(q, key_set);
    enum err e = db_run(q, NULL, c->why);
    return e ? e : change_note(c, CHANGE_KEY_NAME, STR_NONE, STR_NONE);
}

static enum err insert_pair(struct call *c, const struct tls_pair *pair, int64_t *key_set)
{
    enum err e = new_id(c, key_set);
    if (e)
        return e;
    struct db_query *q =
        db_query(c->db, "INSERT INTO key_set (id, is_default, created_ms) VALUES ($1, 0, $2)");
    db_bind_int(q, *key_set);
    db_bind_int(q, clock_wall());
    e = db_run(q, NULL, c->why);
    if (e)
        return e;
    struct buf chain = {0};
    key_chain_pack(&chain, pair);
    q = db_query(c->db,
                 "INSERT INTO key_pair (pair_id, key_set_id, chain, private_key) VALUES ($1, $2, $3, $4)");
    db_bind_int(q, (int64_t)pair->id);
    db_bind_int(q, *key_set);
    db_bind_blob(q, buf_str(&chain));
    db_bind_blob(q, pair->key_der);
    e = db_run(q, NULL, c->why);
    buf_release(&chain);
    return e;
}

/* The first key set is the default, whatever it is. */
static enum err wants_default(struct call *c, bool *out)
{
    int64_t others;
    enum err e =
        db_get_int(db_query(c->db, "SELECT COUNT(*) FROM key_set WHERE is_default = 1"), &others, c->why);
    *out = !e && (others == 0 || arg_is_set(c, "default"));
    return e;
}

static enum err add_named(struct call *c, int64_t *key_set)
{
    struct tls_pair pair = {0};
    struct str names[NAMES_MAX + 1];
    size_t n = 0;
    enum err e = read_pair(c, &pair, names, &n);
    if (e)
        return e;
    struct db_query *q = db_query(c->db, "SELECT key_set_id FROM key_pair WHERE pair_id = $1");
    db_bind_int(q, (int64_t)pair.id);
    e = db_get_int(q, key_set, c->why); /* the same certificate and key again: only the names are news */
    if (e == ERR_NOT_FOUND) {
        e = insert_pair(c, &pair, key_set);
        if (!e)
            e = change_note(c, CHANGE_KEY, id_text(c->a, *key_set), STR_NONE);
    }
    return e ? e : give_names(c, *key_set, names, n);
}

enum err verb_key_add(struct call *c)
{
    int64_t key_set = 0;
    bool is_default;
    enum err e = wants_default(c, &is_default);
    if (!e)
        e = arg_has(c, "group") ? group_add(c, &key_set) : add_named(c, &key_set);
    if (!e && is_default)
        e = make_default(c, key_set);
    return e ? e : describe(c, key_set, is_default, &c->result);
}

enum err verb_key_set(struct call *c)
{
    struct str names[NAMES_MAX];
    struct key_row row;
    size_t n;
    int64_t id;
    bool is_default;
    enum err e = find(c, &id, &is_default);
    if (!e)
        e = read_names(c, names, &n);
    if (!e)
        e = give_names(c, id, names, n);
    if (!e && arg_is_set(c, "default")) {
        e = make_default(c, id);
        is_default = true;
    }
    if (e)
        return e;
    e = keys_find(c, id_text(c->a, id), &row);
    if (!e)
        e = group_set(c, &row);
    return e && e != ERR_NOT_FOUND ? e : describe(c, id, is_default, &c->result);
}

static enum err note_removal(struct call *c, int64_t id, bool is_default, const json_t *names)
{
    enum err e = change_note(c, CHANGE_KEY, id_text(c->a, id), STR_NONE);
    for (size_t i = 0; !e && i < json_array_size(names); i++)
        e = change_note(c, CHANGE_KEY_NAME, str_of(json_string_value(json_array_get(names, i))), STR_NONE);
    return e || !is_default ? e : change_note(c, CHANGE_KEY_NAME, STR_NONE, STR_NONE);
}

enum err verb_key_remove(struct call *c)
{
    int64_t id;
    bool is_default;
    enum err e = find(c, &id, &is_default);
    if (!e)
        e = group_is_free(c, id);
    if (e)
        return e;
    json_t *names = names_of(c, id);
    size_t serves = json_array_size(names);
    if ((is_default || serves) && !arg_is_set(c, "force")) {
        buf_set(c->why,
                "key %lld is in use (%s%zu name(s)); give its names to another key first (\"kedge key add\", "
                "\"kedge key set\"), or say --force",
                (long long)id, is_default ? "the default, " : "", serves);
        json_decref(names);
        return ERR_REFUSED;
    }
    e = describe(c, id, is_default, &c->result);
    if (!e)
        e = note_removal(c, id, is_default, names);
    json_decref(names);
    if (e)
        return e;
    board_forget_set(c->context, id);
    struct db_query *q = db_query(c->db, "DELETE FROM key_set WHERE id = $1");
    db_bind_int(q, id);
    return db_run(q, NULL, c->why);
}
