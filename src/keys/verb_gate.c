#include "keys/describe.h"
#include "keys/request.h"
#include "keys/verbs_priv.h"

enum { EVENTS_SHOWN = 200, LOOK_MS = 2000, AGAIN_MS = 30000 };
static const int64_t WAIT_MAX_MS = (int64_t)24 * 3600 * 1000;

/* One of roll, stage, emergency and accept on its way: what runs inside the transaction and what comes out.
 */
struct request {
    struct call *verb;
    struct gate_set set;
    struct key_row row;
    struct board_view view; /* what the gate saw last; in the verb's arena */
    struct tls_pair pair;   /* stage */
    int64_t key_id;         /* what is waited for, or emergency is about */
    struct buf said;
    enum err (*run)(struct call *c, struct request *r);
};

static enum err load(struct call *c, struct request *r)
{
    struct str text;
    enum err e = arg_need(c, "key", &text);
    if (!e)
        e = keys_find(c, text, &r->row);
    if (e == ERR_NOT_FOUND) {
        buf_set(c->why,
                "there is no key group '%.*s' (a group or the number of its key set); \"kedge key list\" "
                "shows those "
                "there are, \"kedge key add --group NAME\" makes one",
                STR_ARG(text));
        return e;
    }
    if (!e)
        e = keys_load(c, r->row.id, &r->set);
    r->row.group = arena_str(r->verb->a, r->row.group);
    if (!e)
        board_look(r->verb->context, r->row.id, r->verb->a, &r->view);
    return e;
}

static enum err run_loaded(struct call *c, void *ctx)
{
    struct request *r = ctx;
    c->args = r->verb->args;
    enum err e = load(c, r);
    return e ? e : r->run(c, r);
}

static enum err describe(struct call *c, void *ctx)
{
    struct request *r = ctx;
    json_t *o = NULL;
    board_look(r->verb->context, r->row.id, c->a, &r->view);
    enum err e = keys_describe(c, &r->row, &r->view, &o);
    if (!e)
        r->verb->result = o;
    r->view = (struct board_view){0}; /* its memory was the transaction's */
    return e;
}

/* What the key that is waited for stands at, and what for. */
struct progress {
    struct request *r;
    bool found;
    enum gate_state state;
    deadline again;
};

static enum err read_state(struct call *c, void *ctx)
{
    struct progress *p = ctx;
    struct gate_set set;
    enum err e = keys_load(c, p->r->row.id, &set);
    p->found = false;
    for (size_t i = 0; !e && i < set.nkey; i++)
        if (set.key[i].id == p->r->key_id) {
            p->found = true;
            p->state = set.key[i].state;
        }
    return e;
}

/* Again when nothing is new for a while, so that the caller does not think that nobody is there. */
static void say(struct call *c, struct progress *p, struct buf *last)
{
    struct board_view view;
    struct buf text = {0};
    board_look(c->context, p->r->row.id, c->a, &view);
    buf_printf(&text, "key %lld is %s: ", (long long)p->r->key_id, gate_state_name(p->state));
    keys_waiting_text(&view, &text);
    if (!str_equal(buf_str(&text), buf_str(last)) || deadline_is_over(p->again)) {
        p->again = deadline_in(AGAIN_MS);
        json_t *line = json_object();
        json_object_set_new(line, "text", json_of(buf_str(&text)));
        call_progress(c, line);
        buf_set(last, "%s", buf_cstr(&text));
    }
    buf_release(&text);
}

/* Until the key is served. */
static enum err wait_served(struct call *c, struct request *r)
{
    struct progress p = {.r = r};
    struct buf last = {0};
    deadline until = deadline_in(WAIT_MAX_MS);
    enum err e = OK;
    while (!e) {
        e = tenant_transact(c->store, TENANT_READ, read_state, &p, c->why);
        if (e || (p.found && p.state == GATE_ACTIVE))
            break;
        if (!p.found || p.state > GATE_ACTIVE) {
            buf_set(c->why, "key %lld is not on its way any more; \"kedge key timeline\" says what happened",
                    (long long)r->key_id);
            e = ERR_REFUSED;
        } else if (deadline_is_over(until)) {
            buf_set(c->why, "key %lld is still %s", (long long)r->key_id, gate_state_name(p.state));
            e = ERR_TIMEOUT;
        } else {
            say(c, &p, &last);
            if (board_wait(c->context, deadline_in(LOOK_MS)) == ERR_STOPPED)
                e = ERR_STOPPED;
        }
    }
    buf_release(&last);
    return e;
}

/* The request, then --wait, then what the set has become, with the gate's sentence. */
static enum err carry_out(struct call *c, struct request *r)
{
    r->verb = c;
    enum err e = tenant_transact(c->store, TENANT_WRITE, run_loaded, r, c->why);
    if (!e && !c->result) {
        board_wake(c->context);
        if (arg_is_set(c, "wait") && r->key_id)
            e = wait_served(c, r);
        if (!e)
            e = tenant_transact(c->store, TENANT_READ, describe, r, c->why);
        if (!e && c->result) {
            json_object_set_new(c->result, "said", json_of(buf_str(&r->said)));
            json_append_line(keys_lines(c->result), "%s", buf_cstr(&r->said));
            keys_tell(c->result);
        }
    }
    buf_release(&r->said);
    return e;
}

/* roll */

static const struct gate_key *asked_key(const struct gate_set *set, enum gate_algorithm algorithm)
{
    for (size_t i = 0; i < set->nkey; i++)
        if (set->key[i].algorithm == algorithm && set->key[i].roll != GATE_ROLL_NO &&
            set->key[i].state < GATE_ACTIVE)
            return &set->key[i];
    return NULL;
}

static bool has_next(const struct gate_set *set, enum gate_algorithm algorithm)
{
    for (size_t i = 0; i < set->nkey; i++)
        if (set->key[i].algorithm == algorithm && set->key[i].state < GATE_ACTIVE &&
            !set->key[i].is_compromised)
            return true;
    return false;
}

static enum err run_roll(struct call *c, struct request *r)
{
    enum gate_algorithm algorithm = GATE_ECDSA;
    if (arg_has(c, "algorithm") && !gate_algorithm_parse(arg_text(c, "algorithm"), &algorithm)) {
        buf_set(c->why, "the algorithms are ecdsa and rsa");
        return ERR_USAGE;
    }
    enum gate_reply reply = gate_ask_roll(&r->set, algorithm, GATE_ROLL_ASKED, clock_wall(), &r->said);
    bool may_make = r->set.keeps_next && r->set.wants[algorithm] && !has_next(&r->set, algorithm);
    if (reply == GATE_REFUSED && may_make) {
        struct gate_key key;
        buf_clear(&r->said);
        enum err e = request_new_key(c, &r->set, algorithm, GATE_ROLL_ASKED, &key, &r->said);
        r->key_id = e ? 0 : key.id;
        return e;
    }
    if (reply == GATE_REFUSED) {
        buf_set(c->why, "%s", buf_cstr(&r->said));
        return ERR_REFUSED;
    }
    const struct gate_key *key = asked_key(&r->set, algorithm);
    r->key_id = key ? key->id : 0;
    enum err e = keys_save(c, &r->set, NULL);
    return e ? e : keys_event(c, r->set.id, r->key_id, "roll", buf_str(&r->said));
}

enum err verb_key_roll(struct call *c)
{
    struct request r = {.run = run_roll};
    return carry_out(c, &r);
}

/* stage */

/* A certificate for other names works with DANE, and with nothing else: it is taken, and said. */
static enum err warn_of_names(struct call *c, struct request *r)
{
    struct tls_pair_facts facts;
    enum err e = tls_pair_inspect(&r->pair, c->a, &facts, c->why);
    struct db_query *q = db_query(c->db, "SELECT name FROM zone ORDER BY name");
    while (!e && db_next(q)) {
        struct str wanted = arena_printf(c->a, "*.%.*s", STR_ARG(db_text(q, 0)));
        bool covers = false;
        for (struct str rest = facts.dns_names, word; !covers && (word = str_word(&rest)).n;)
            covers = str_equal_nocase(word, wanted);
        if (!covers)
            buf_printf(&r->said, "; the certificate does not cover %.*s: good for DANE, not for MTA-STS",
                       STR_ARG(wanted));
    }
    enum err ended = db_end(q, e ? NULL : c->why);
    return e ? e : ended;
}

static enum err run_stage(struct call *c, struct request *r)
{
    struct gate_key key;
    enum err e = request_stage(c, &r->set, &r->pair, GATE_ROLL_ASKED, &key, &r->said);
    if (e)
        return e;
    r->key_id = key.id;
    return warn_of_names(c, r);
}

enum err verb_key_stage(struct call *c)
{
    struct request r = {.run = run_stage};
    if (!arg_has(c, "certificate_pem") || !arg_has(c, "key_pem")) {
        buf_set(c->why, "say what to stage: --cert FILE with --key FILE");
        return ERR_USAGE;
    }
    enum err e =
        tls_pair_from_pem(c->a, arg_text(c, "certificate_pem"), arg_text(c, "key_pem"), &r.pair, c->why);
    return e ? e : carry_out(c, &r);
}

/* emergency */

/* The key that the caller names, or the only one that is served. */
static enum err choose_key(struct call *c, struct request *r)
{
    uint32_t id = 0;
    size_t active = 0;
    struct str text = arg_text(c, "id");
    if (text.n && !str_to_u32(text, &id)) {
        buf_set(c->why, "'%.*s' is not the number of a key; \"kedge key show\" lists them", STR_ARG(text));
        return ERR_USAGE;
    }
    for (size_t i = 0; i < r->set.nkey; i++) {
        if (text.n ? r->set.key[i].id == id : r->set.key[i].state == GATE_ACTIVE) {
            r->key_id = r->set.key[i].id;
            active++;
        }
    }
    if (active == 1)
        return OK;
    buf_set(c->why,
            active ? "several keys are served: say with --id which one is compromised (\"kedge key show\")"
                   : "there is no such key in this set; \"kedge key show\" lists them");
    return active ? ERR_USAGE : ERR_NOT_FOUND;
}

static json_t *plan_json(const struct request *r, const struct gate_plan *plan, struct buf *text)
{
    json_t *o = json_object();
    json_object_set_new(o, "key", json_integer(r->row.id));
    json_object_set_new(o, "compromised", json_integer(r->key_id));
    json_object_set_new(o, "plan", json_string(gate_plan_name(plan->kind)));
    json_object_set_new(o, "stops_ms", json_integer(plan->stops_ms));
    json_object_set_new(o, "withdrawn_ms", json_integer(plan->withdrawn_ms));
    json_object_set_new(o, "harmless_ms", json_integer(plan->harmless_ms));
    json_object_set_new(o, "edges", json_integer((json_int_t)plan->nedge));
    json_object_set_new(o, "held", plan->held.what ? json_waiting(&plan->held) : json_null());
    json_object_set_new(o, "confirm", json_of(buf_str(text)));
    return o;
}

static enum gate_algorithm algorithm_of(const struct gate_set *set, int64_t key_id)
{
    for (size_t i = 0; i < set->nkey; i++)
        if (set->key[i].id == key_id)
            return set->key[i].algorithm;
    return GATE_ECDSA;
}

static enum err run_emergency(struct call *c, struct request *r)
{
    struct gate_plan plan;
    enum err e = choose_key(c, r);
    if (e)
        return e;
    if (!r->view.stepped_ms) {
        buf_set(c->why, "the servers and edges were not looked at yet; try again in some seconds");
        return ERR_REFUSED;
    }
    const struct gate_evidence *seen = &r->view.evidence;
    if (!gate_plan_emergency(&r->set, seen, r->key_id, &plan))
        return ERR_NOT_FOUND;
    gate_plan_text(&plan, &r->said);
    if (!arg_is_set(c, "yes")) {
        r->verb->result = plan_json(r, &plan, &r->said);
        return OK;
    }
    if (gate_emergency(&r->set, seen, r->key_id, c->why) == GATE_REFUSED)
        return ERR_REFUSED;
    e = keys_save(c, &r->set, NULL);
    if (!e)
        e = keys_event(c, r->set.id, r->key_id, "emergency", buf_str(&r->said));
    enum gate_algorithm algorithm = algorithm_of(&r->set, r->key_id);
    if (!e && plan.kind == GATE_PLAN_NEW) {
        struct buf said = {0};
        e = request_new_key(c, &r->set, algorithm, GATE_ROLL_FORCED, NULL, &said);
        if (e == ERR_REFUSED) { /* that it is compromised stays true */
            buf_printf(&r->said, "; no new key was made: %s", buf_cstr(c->why));
            e = OK;
        }
        buf_release(&said);
    }
    const struct gate_key *next = asked_key(&r->set, algorithm);
    r->key_id = next ? next->id : 0;
    return e;
}

enum err verb_key_emergency(struct call *c)
{
    struct request r = {.run = run_emergency};
    return carry_out(c, &r);
}

/* accept */

static enum err run_accept(struct call *c, struct request *r)
{
    if (!r->view.stepped_ms) {
        buf_set(c->why, "the servers and edges were not looked at yet; try again in some seconds");
        return ERR_REFUSED;
    }
    if (!arg_is_set(c, "yes")) {
        json_t *o = json_object();
        json_object_set_new(o, "key", json_integer(r->row.id));
        json_object_set_new(
            o, "confirm",
            json_string("Only when this database is older than the zone and the edges, and no newer one "
                        "can be restored: what they publish and serve now becomes the truth."));
        r->verb->result = o;
        return OK;
    }
    if (gate_accept(&r->set, &r->view.evidence, &r->said) == GATE_REFUSED) {
        buf_set(c->why, "%s", buf_cstr(&r->said));
        return ERR_REFUSED;
    }
    enum err e = keys_save(c, &r->set, NULL);
    return e ? e : keys_event(c, r->set.id, 0, "accept", buf_str(&r->said));
}

enum err verb_key_accept(struct call *c)
{
    struct request r = {.run = run_accept};
    return carry_out(c, &r);
}

/* timeline */

static const char *event_sentence(struct str name)
{
    static const struct {
        const char *name, *sentence;
    } own[] = {
        {"certificate", "its certificate was replaced"},
        {"roll", "a roll was asked for"},
        {"emergency", "it was called compromised"},
        {"accept", "what was live was taken as the truth"},
    };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (str_equal(name, str_of(own[i].name)))
            return own[i].sentence;
#define X(event, text, sentence)                                                                             \
    if (str_equal(name, STR(text)))                                                                          \
        return sentence;
    GATE_EVENT_TABLE(X)
#undef X
    return "";
}

static void tell_event(json_t *result, const json_t *o)
{
    const char *detail = json_string_value(json_object_get(o, "detail"));
    json_append_line(
        keys_lines(result), "%s  key %-4lld %-11s %s%s%s%s", json_string_value(json_object_get(o, "at")),
        (long long)json_integer_value(json_object_get(o, "key")),
        json_string_value(json_object_get(o, "event")), json_string_value(json_object_get(o, "sentence")),
        detail && *detail ? " (" : "", detail ? detail : "", detail && *detail ? ")" : "");
}

enum err verb_key_timeline(struct call *c)
{
    struct request r = {.verb = c};
    enum err e = load(c, &r);
    if (e)
        return e;
    json_t *events = json_array();
    c->result = json_object();
    json_object_set_new(c->result, "key", json_integer(r.row.id));
    json_object_set_new(c->result, "events", events);
    struct db_query *q =
        db_query(c->db, "SELECT at_ms, gate_key_id, event, detail FROM"
                        " (SELECT at_ms, gate_key_id, event, detail, number FROM key_event WHERE key_set_id "
                        "= $1 ORDER BY at_ms DESC, number DESC LIMIT $2) AS latest ORDER BY at_ms, number");
    db_bind_int(q, r.row.id);
    db_bind_int(q, EVENTS_SHOWN);
    while (db_next(q)) {
        json_t *o = json_object();
        json_object_set_new(o, "at", json_time(db_int(q, 0)));
        json_object_set_new(o, "key", db_int(q, 1) ? json_integer(db_int(q, 1)) : json_null());
        json_object_set_new(o, "event", json_of(db_text(q, 2)));
        json_object_set_new(o, "detail", json_of(db_text(q, 3)));
        json_object_set_new(o, "sentence", json_string(event_sentence(db_text(q, 2))));
        json_array_append_new(events, o);
        tell_event(c->result, o);
    }
    return db_end(q, c->why);
}
