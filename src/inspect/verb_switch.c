/* domain.switch: one look at where a domain stands, and the steps that are ours done at once. */
#include "inspect/switch.h"
#include "inspect/verbs_priv.h"
#include "inspect/wanted.h"

enum { ROUNDS_MAX = 4 };

struct switching {
    struct call *c;
    struct inspect_world *world;
    struct str domain;
    bool undo;
    struct switch_options options;
    /* of one round */
    struct arena a;
    struct facts f;
    struct switch_memory memory;
    struct switch_view view;
    json_t *did; /* what was done */
};

static enum err load(struct call *c, void *ctx)
{
    struct switching *s = ctx;
    enum err e = wanted_load(c, s->domain, &s->f);
    return e ? e : wanted_switch_load(c, s->domain, &s->a, &s->memory);
}

static enum err save(struct call *c, void *ctx)
{
    struct switching *s = ctx;
    struct wanted_seen seen = wanted_seen_of(&s->f);
    enum err e = s->f.is_allocated ? wanted_remember(c, &seen) : OK;
    if (e)
        return e;
    bool is_undone = s->memory.is_undoing && s->view.turn == SWITCH_DONE_TURN;
    return is_undone ? wanted_switch_forget(c, s->domain) : wanted_switch_save(c, s->domain, &s->memory);
}

/* Looks at the world once. */
static enum err look(struct switching *s)
{
    facts_release(&s->f);
    arena_release(&s->a);
    s->f = (struct facts){.arena = &s->a, .port = s->world->port};
    enum err e = tenant_transact(s->c->store, TENANT_READ, load, s, s->c->why);
    if (e)
        return e;
    if (!s->f.is_allocated)
        s->f.expected = STR_NONE; /* the name that the switch leads to is not known yet */
    struct gather_conf conf = s->world->gather;
    conf.asks_sts = true;
    facts_gather(&s->f, &conf);
    s->memory.is_undoing = s->undo;
    switch_remember(&s->memory, &s->f, switch_low(&s->options));
    switch_look(&s->memory, &s->f, &s->options, &s->view);
    return tenant_transact(s->c->store, TENANT_WRITE, save, s, s->c->why);
}

static const char *verb_of(enum switch_action a)
{
    static const char *const verbs[] = {
        [SWITCH_ENABLE_DNSSEC] = "domain.dnssec.enable",
        [SWITCH_DISABLE_DNSSEC] = "domain.dnssec.disable",
        [SWITCH_ENABLE_DANE] = "domain.dane.enable",
        [SWITCH_DISABLE_DANE] = "domain.dane.disable",
    };
    return verbs[a];
}

static enum err act(struct switching *s)
{
    json_t *args = json_object(), *domains = json_array(), *result = NULL;
    json_array_append_new(domains, json_of(s->domain));
    json_object_set_new(args, "domain", domains);
    struct tenant_request request = {.verb = verb_of(s->view.action), .args = args};
    enum err e = tenant_call(s->c->store, &request, &result, s->c->why);
    json_decref(result);
    json_decref(args);
    if (!e)
        json_array_append_new(s->did, json_of(s->view.say));
    return e;
}

static json_t *record_of(const struct switch_record *r)
{
    json_t *o = json_object();
    json_object_set_new(o, "action", json_string(r->what));
    json_object_set_new(o, "type", json_string(r->type));
    json_object_set_new(o, "name", json_of(r->name));
    json_object_set_new(o, "value", json_of(r->value));
    json_object_set_new(o, "priority", r->priority < 0 ? json_null() : json_integer(r->priority));
    json_object_set_new(o, "ttl", r->ttl ? json_integer(r->ttl) : json_null());
    return o;
}

static json_t *steps_of(const struct switch_view *v)
{
    json_t *list = json_array();
    for (size_t i = 0; i < SWITCH_STEPS; i++) {
        json_t *o = json_object();
        json_object_set_new(o, "number", json_integer((json_int_t)i));
        json_object_set_new(o, "step", json_string(switch_step_name((enum switch_step)i)));
        json_object_set_new(o, "sentence", json_string(switch_step_sentence((enum switch_step)i)));
        json_object_set_new(o, "holds", json_boolean(v->held[i]));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *describe(struct switching *s)
{
    const struct switch_view *v = &s->view;
    json_t *records = json_array(), *o = json_object();
    for (size_t i = 0; i < v->records; i++)
        json_array_append_new(records, record_of(&v->record[i]));
    json_object_set_new(o, "domain", json_of(s->domain));
    json_object_set_new(o, "direction", json_string(s->undo ? "undo" : "switch"));
    json_object_set_new(o, "step", v->step == SWITCH_STEPS ? json_null() : json_integer(v->step));
    json_object_set_new(o, "name", json_string(switch_step_name(v->step)));
    json_object_set_new(o, "turn", json_string(switch_turn_name(v->turn)));
    json_object_set_new(o, "say", json_of(v->say));
    json_object_set_new(o, "provider_zone", json_of(s->f.zone.name.p ? s->f.zone.name : s->domain));
    json_object_set_new(o, "records", records);
    json_object_set_new(o, "until", json_time(v->until_ms));
    json_object_set_new(o, "seconds",
                        v->until_ms ? json_integer((v->until_ms - s->f.now_ms + 999) / 1000) : json_null());
    json_object_set_new(o, "did", json_incref(s->did));
    json_object_set_new(o, "mx_host", s->f.expected.n ? json_of(s->f.expected) : json_null());
    json_object_set_new(o, "protected", json_boolean(facts_is_protected(&s->f)));
    json_object_set_new(o, "steps", steps_of(v));
    return o;
}

static enum err run(struct switching *s)
{
    enum err e = OK;
    for (int round = 0; !e && round < ROUNDS_MAX; round++) {
        e = look(s);
        if (e || s->view.turn != SWITCH_OURS_TURN)
            break;
        call_progress(s->c, describe(s));
        e = act(s);
    }
    if (!e)
        s->c->result = describe(s);
    return e;
}

static enum err take_ttl(struct call *c, struct switch_options *o)
{
    if (!arg_has(c, "low_ttl"))
        return OK;
    if (!str_to_u32(arg_text(c, "low_ttl"), &o->ttl_low))
        buf_set(c->why, "low TTL '%.*s' is not a number of seconds", STR_ARG(arg_text(c, "low_ttl")));
    else if (o->ttl_low < SWITCH_TTL_LEAST)
        buf_set(
            c->why,
            "a low TTL of less than %d seconds cannot be asked for: providers and resolvers do not keep to "
            "less (records that have less already count as low)",
            SWITCH_TTL_LEAST);
    else
        return OK;
    return ERR_USAGE;
}

enum err verb_domain_switch(struct call *c)
{
    struct switching s = {.c = c, .world = c->context, .undo = arg_is_set(c, "undo")};
    struct str text;
    enum err e = arg_need(c, "domain", &text);
    if (!e)
        e = name_normal(c, text, &s.domain);
    if (!e)
        e = take_ttl(c, &s.options);
    if (!e)
        e = inspect_world_prove(s.world, c->why);
    if (e)
        return e;
    s.did = json_array();
    e = run(&s);
    json_decref(s.did);
    facts_release(&s.f);
    arena_release(&s.a);
    return e;
}

const struct tenant_verb inspect_verbs[] = {
    {"domain.status", VERB_FREE, verb_domain_status},
    {"domain.codes", VERB_FREE_READ, verb_domain_codes},
    {"domain.switch", VERB_FREE, verb_domain_switch},
};
const size_t inspect_verb_count = sizeof inspect_verbs / sizeof *inspect_verbs;
