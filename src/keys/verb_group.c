#include "keys/verb_group_priv.h"

#include "keys/describe.h"
#include "keys/request.h"

/* One label, and no hyphen: MX hosts of domains have those. */
static enum err check_group(struct call *c, struct str group)
{
    bool good = group.n > 0 && group.n <= KEY_GROUP_MAX;
    for (size_t i = 0; i < group.n; i++)
        good = good && ((group.p[i] >= 'a' && group.p[i] <= 'z') || (group.p[i] >= '0' && group.p[i] <= '9'));
    good = good && group.p[0] >= 'a'; /* a number would read like a key set's */
    if (good)
        return OK;
    buf_set(c->why, "'%.*s' cannot be a key group: a letter, then letters (a-z) and digits, at most %d",
            STR_ARG(group), KEY_GROUP_MAX);
    return ERR_USAGE;
}

/* The operator's certificate: its own renewals are the next keys. */
static enum err add_imported(struct call *c, struct gate_set *set, struct buf *said)
{
    struct tls_pair pair;
    enum err e =
        tls_pair_from_pem(c->a, arg_text(c, "certificate_pem"), arg_text(c, "key_pem"), &pair, c->why);
    return e ? e : request_stage(c, set, &pair, GATE_ROLL_ASKED, NULL, said);
}

static enum err add_made(struct call *c, struct gate_set *set, struct buf *said)
{
    enum err e = request_new_key(c, set, GATE_ECDSA, GATE_ROLL_ASKED, NULL, said);
    if (!e && set->wants[GATE_RSA]) {
        buf_clear(said);
        e = request_new_key(c, set, GATE_RSA, GATE_ROLL_ASKED, NULL, said);
    }
    return e;
}

enum err group_add(struct call *c, int64_t *key_set)
{
    struct gate_set set = {0};
    struct str group = arg_text(c, "group");
    bool imported = arg_has(c, "certificate_pem") || arg_has(c, "key_pem");
    enum err e = check_group(c, group);
    if (e)
        return e;
    if (arg_has(c, "self_sign") || arg_has(c, "name")) {
        buf_set(
            c->why,
            "a key group serves the MX hosts of the zones: --self-sign and --name do not go with --group");
        return ERR_USAGE;
    }
    if (arg_is_set(c, "ta") && !imported) {
        buf_set(
            c->why,
            "--ta publishes the issuing CA, and a self-signed certificate has none: give --cert and --key");
        return ERR_USAGE;
    }
    set.wants[GATE_ECDSA] = true;
    set.wants[GATE_RSA] = arg_is_set(c, "rsa");
    set.ta = arg_is_set(c, "ta");
    set.keeps_next = !imported;
    e = keys_add_set(c, group, &set);
    if (!e)
        e = keys_load(c, set.id, &set);
    if (e)
        return e;
    board_options(c->context, &set);
    struct buf said = {0};
    e = imported ? add_imported(c, &set, &said) : add_made(c, &set, &said);
    buf_release(&said);
    *key_set = set.id;
    board_wake(c->context);
    return e;
}

enum err group_set(struct call *c, const struct key_row *row)
{
    struct gate_set set;
    enum err e = keys_load(c, row->id, &set);
    if (e)
        return e;
    struct str next = arg_text(c, "next");
    if (next.n && !str_equal(next, STR("self-signed")) && !str_equal(next, STR("imported"))) {
        buf_set(c->why, "next keys are self-signed or imported");
        return ERR_USAGE;
    }
    if (next.n)
        set.keeps_next = str_equal(next, STR("self-signed"));
    set.wants[GATE_RSA] = (set.wants[GATE_RSA] || arg_is_set(c, "rsa")) && !arg_is_set(c, "no_rsa");
    set.ta = (set.ta || arg_is_set(c, "ta")) && !arg_is_set(c, "no_ta");
    e = keys_set_options(c, &set);
    board_wake(c->context);
    return e;
}

enum err group_describe(struct call *c, const struct key_row *row, json_t **out)
{
    struct board_view view;
    board_look(c->context, row->id, c->a, &view);
    return keys_describe(c, row, &view, out);
}

/* The same as for a zone that is removed: who holds a record of a key wants to be shown that key. */
static enum err records_are_gone(struct call *c, int64_t key_set)
{
    int64_t zones;
    struct db_query *q = db_query(c->db, "SELECT COUNT(*) FROM tlsa_rrset WHERE key_set_id = $1");
    db_bind_int(q, key_set);
    enum err e = db_get_int(q, &zones, c->why);
    if (e || zones == 0 || arg_is_set(c, "force"))
        return e;
    buf_set(c->why,
            "servers or caches of %lld zone(s) may still have TLSA records of key set %lld (\"kedge zone "
            "status\"); it can be removed two TTLs after they are gone, or now with --force: senders that "
            "hold them then refuse what is served",
            (long long)zones, (long long)key_set);
    return ERR_REFUSED;
}

enum err group_is_free(struct call *c, int64_t key_set)
{
    int64_t hosts;
    struct db_query *q = db_query(c->db, "SELECT COUNT(*) FROM zone z JOIN mx_host h ON h.zone_id = z.id"
                                         " WHERE h.key_set_id = $1 AND h.state <> 'quarantined'");
    db_bind_int(q, key_set);
    enum err e = db_get_int(q, &hosts, c->why);
    if (e || hosts == 0)
        return e ? e : records_are_gone(c, key_set);
    buf_set(c->why, "key set %lld serves %lld MX host(s); it can be removed when they are gone",
            (long long)key_set, (long long)hosts);
    return ERR_REFUSED;
}
