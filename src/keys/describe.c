#include "keys/describe.h"

static json_t *hex_json(const uint8_t *p, size_t n)
{
    struct buf hex = {0};
    hex_append(&hex, p, n);
    json_t *text = json_of(buf_str(&hex));
    buf_release(&hex);
    return text;
}

json_t *json_waiting(const struct gate_waiting *w)
{
    struct buf text = {0};
    gate_waiting_text(w, clock_wall(), &text);
    json_t *o = json_object();
    json_object_set_new(o, "what", json_string(gate_await_name(w->what)));
    json_object_set_new(o, "key", w->key_id ? json_integer(w->key_id) : json_null());
    json_object_set_new(o, "until", json_time(w->until_ms));
    json_object_set_new(o, "by", w->subject.n ? json_of(w->subject) : json_null());
    json_object_set_new(o, "doubt", json_boolean(gate_await_is_doubt(w->what)));
    json_object_set_new(o, "sentence", json_of(buf_str(&text)));
    json_object_set_new(o, "advice", json_string(gate_await_advice(w->what)));
    buf_release(&text);
    return o;
}

void keys_waiting_text(const struct board_view *view, struct buf *out)
{
    if (view->stepped_ms)
        gate_waiting_text(&view->out.waiting, clock_wall(), out);
    else
        buf_add(out, STR("the servers and edges were not looked at yet"));
}

/* The pair's certificate; a lost key has none. */
static enum err add_certificate(struct call *c, int64_t pair_id, json_t *o)
{
    struct tls_pair pair;
    struct tls_pair_facts facts;
    enum err e = key_pair_load(c->db, c->a, pair_id, &pair, c->why);
    if (!e)
        e = tls_pair_inspect(&pair, c->a, &facts, c->why);
    if (e)
        return e == ERR_NOT_FOUND ? OK : e;
    json_object_set_new(o, "subject", json_of(facts.subject));
    json_object_set_new(o, "issuer", json_of(facts.issuer));
    json_object_set_new(o, "names", json_of(facts.dns_names));
    json_object_set_new(o, "not_after", json_time(facts.not_after * 1000));
    json_object_set_new(o, "sha256", hex_json(facts.sha256, sizeof facts.sha256));
    return OK;
}

static enum err describe_key(struct call *c, const struct gate_key *k, json_t **out)
{
    static const char *const rolls[] = {
        [GATE_ROLL_NO] = "no", [GATE_ROLL_ASKED] = "asked", [GATE_ROLL_FORCED] = "forced"};
    json_t *o = *out = json_object();
    json_object_set_new(o, "key", json_integer(k->id));
    json_object_set_new(o, "algorithm", json_string(gate_algorithm_name(k->algorithm)));
    json_object_set_new(o, "state", json_string(gate_state_name(k->state)));
    json_object_set_new(o, "sentence", json_string(gate_state_sentence(k->state)));
    json_object_set_new(o, "since", json_time(k->since_ms));
    json_object_set_new(o, "roll", json_string(rolls[k->roll]));
    json_object_set_new(o, "compromised", json_boolean(k->is_compromised));
    json_object_set_new(o, "lost", json_boolean(k->is_lost));
    json_object_set_new(o, "spki_sha256", hex_json(k->spki, sizeof k->spki));
    return add_certificate(c, k->pair_id, o);
}

static enum err count_hosts(struct call *c, int64_t set, json_t *o)
{
    struct db_query *q =
        db_query(c->db, "SELECT COUNT(*), SUM(h.dane) FROM zone z JOIN mx_host h ON h.zone_id = z.id"
                        " WHERE h.key_set_id = $1 AND h.state <> 'quarantined'");
    db_bind_int(q, set);
    if (db_next(q)) {
        json_object_set_new(o, "hosts", json_integer(db_int(q, 0)));
        json_object_set_new(o, "dane_hosts", json_integer(db_int(q, 1)));
    }
    return db_end(q, c->why);
}

static void add_waiting(const struct board_view *view, json_t *o)
{
    struct buf text = {0};
    keys_waiting_text(view, &text);
    json_object_set_new(o, "awaits", json_of(buf_str(&text)));
    json_object_set_new(o, "until", json_time(view->out.waiting.until_ms));
    json_object_set_new(o, "waiting", view->stepped_ms ? json_waiting(&view->out.waiting) : json_null());
    json_t *alarms = json_array();
    for (size_t i = 0; i < view->out.nalarm; i++)
        json_array_append_new(alarms, json_waiting(&view->out.alarm[i]));
    json_object_set_new(o, "alarms", alarms);
    json_object_set_new(o, "looked", json_time(view->stepped_ms));
    buf_release(&text);
}

enum err keys_describe(struct call *c, const struct key_row *row, const struct board_view *view, json_t **out)
{
    struct gate_set set;
    struct gate_out published = {0};
    json_t *o = json_object(), *keys = json_array(), *states = json_array();
    enum err e = keys_load(c, row->id, &set);
    gate_records(&set, &published);
    json_object_set_new(o, "key", json_integer(row->id));
    json_object_set_new(o, "group", json_of(row->group));
    json_object_set_new(o, "default", json_boolean(row->is_default));
    json_object_set_new(o, "algorithm", json_string(set.wants[GATE_RSA] ? "ecdsa rsa" : "ecdsa"));
    json_object_set_new(o, "ta", json_boolean(set.ta));
    json_object_set_new(o, "self_signed_next", json_boolean(set.keeps_next));
    if (!e)
        e = count_hosts(c, row->id, o);
    for (size_t i = 0; !e && i < set.nkey; i++) {
        json_t *k = NULL;
        e = describe_key(c, &set.key[i], &k);
        json_array_append(states, json_object_get(k, "state"));
        json_array_append_new(keys, k);
    }
    json_object_set_new(o, "state", states);
    json_object_set_new(o, "keys", keys);
    json_object_set_new(o, "records", json_integer((json_int_t)published.nrecord));
    json_object_set_new(o, "many_records", json_boolean(published.is_large));
    add_waiting(view, o);
    if (e)
        json_decref(o);
    else
        *out = o;
    return e;
}

json_t *keys_lines(json_t *described)
{
    json_t *lines = json_object_get(described, "lines");
    if (lines)
        return lines;
    lines = json_array();
    json_object_set_new(described, "lines", lines);
    return lines;
}

static void tell_key(json_t *o, const json_t *k)
{
    json_append_line(keys_lines(o), "  key %lld  %-5s %-9s since %s: %s%s", json_number_at(k, "key"),
                     json_text_at(k, "algorithm"), json_text_at(k, "state"), json_text_at(k, "since"),
                     json_text_at(k, "sentence"),
                     json_is_true(json_object_get(k, "compromised")) ? "; COMPROMISED" : "");
    if (json_is_true(json_object_get(k, "lost")))
        json_append_line(keys_lines(o), "    only its record is known");
    else
        json_append_line(keys_lines(o), "    3 1 1 %s  certificate until %s, issued by %s",
                         json_text_at(k, "spki_sha256"), json_text_at(k, "not_after"),
                         json_text_at(k, "issuer"));
}

void keys_tell(json_t *o)
{
    size_t i;
    json_t *one;
    json_append_line(
        keys_lines(o),
        "group %s (key set %lld)%s: %lld MX hosts, %lld of them with DANE; %lld TLSA records%s",
        json_text_at(o, "group"), json_number_at(o, "key"),
        json_is_true(json_object_get(o, "default")) ? ", the default" : "", json_number_at(o, "hosts"),
        json_number_at(o, "dane_hosts"), json_number_at(o, "records"),
        json_is_true(json_object_get(o, "many_records")) ? ", which some senders may find too many" : "");
    json_array_foreach(json_object_get(o, "keys"), i, one) tell_key(o, one);
    json_append_line(keys_lines(o), "  awaits: %s", json_text_at(o, "awaits"));
    json_array_foreach(json_object_get(o, "alarms"), i, one)
        json_append_line(keys_lines(o), "  ALARM: %s\n    what to do: %s", json_text_at(one, "sentence"),
                         json_text_at(one, "advice"));
}
