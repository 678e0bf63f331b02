/* The gate's words. */
#include "keys/gate.h"

const char *gate_algorithm_name(enum gate_algorithm a)
{
    static const char *const names[] = {
#define X(name, text) text,
        GATE_ALGORITHM_TABLE(X)
#undef X
    };
    return names[a];
}

bool gate_algorithm_parse(struct str name, enum gate_algorithm *out)
{
    for (int a = 0; a < GATE_ALGORITHMS; a++)
        if (str_equal(name, str_of(gate_algorithm_name((enum gate_algorithm)a)))) {
            *out = (enum gate_algorithm)a;
            return true;
        }
    return false;
}

static const struct {
    const char *name, *sentence;
} states[] =
    {
#define X(name, text, sentence) {text, sentence},
        GATE_STATE_TABLE(X)
#undef X
},
  events[] =
      {
#define X(name, text, sentence) {text, sentence},
          GATE_EVENT_TABLE(X)
#undef X
},
  plans[] = {
#define X(name, text, sentence) {text, sentence},
      GATE_PLAN_TABLE(X)
#undef X
};

static const struct {
    bool is_doubt;
    const char *name, *sentence, *advice;
} awaits[] = {
#define X(name, is_doubt, text, sentence, advice) {is_doubt, text, sentence, advice},
    GATE_AWAIT_TABLE(X)
#undef X
};

const char *gate_state_name(enum gate_state s)
{
    return states[s].name;
}

const char *gate_state_sentence(enum gate_state s)
{
    return states[s].sentence;
}

bool gate_state_parse(struct str name, enum gate_state *out)
{
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (str_equal(name, str_of(states[i].name))) {
            *out = (enum gate_state)i;
            return true;
        }
    return false;
}

const char *gate_await_name(enum gate_await a)
{
    return awaits[a].name;
}

const char *gate_await_sentence(enum gate_await a)
{
    return awaits[a].sentence;
}

const char *gate_await_advice(enum gate_await a)
{
    return awaits[a].advice;
}

bool gate_await_is_doubt(enum gate_await a)
{
    return awaits[a].is_doubt;
}

const char *gate_event_name(enum gate_event_kind k)
{
    return events[k].name;
}

const char *gate_event_sentence(enum gate_event_kind k)
{
    return events[k].sentence;
}

const char *gate_plan_name(enum gate_plan_kind k)
{
    return plans[k].name;
}

void gate_duration_text(int64_t ms, struct buf *out)
{
    long long s = (ms + 999) / 1000;
    if (s < 120)
        buf_printf(out, "%lld s", s);
    else if (s < 2LL * 3600)
        buf_printf(out, "%lld min", (s + 59) / 60);
    else if (s < 48LL * 3600)
        buf_printf(out, "%lld h %lld min", s / 3600, s % 3600 / 60);
    else
        buf_printf(out, "%lld days", s / 86400);
}

void gate_waiting_text(const struct gate_waiting *w, int64_t wall_ms, struct buf *out)
{
    if (w->key_id)
        buf_printf(out, "key %lld: ", (long long)w->key_id);
    buf_printf(out, "%s", gate_await_sentence(w->what));
    if (w->subject.n)
        buf_printf(out, " (%.*s)", STR_ARG(w->subject));
    if (w->until_ms > wall_ms) {
        char at[CLOCK_TEXT];
        clock_iso(w->until_ms, at);
        buf_printf(out, ", until %.19sZ (in ", at);
        gate_duration_text(w->until_ms - wall_ms, out);
        buf_add_char(out, ')');
    }
    if (gate_await_advice(w->what)[0])
        buf_printf(out, "; %s", gate_await_advice(w->what));
}

static void add_time(struct buf *out, const char *what, int64_t ms)
{
    buf_printf(out, "; %s ", what);
    if (ms > 0) {
        buf_add(out, STR("in "));
        gate_duration_text(ms, out);
    } else {
        buf_add(out, STR("now"));
    }
}

void gate_plan_text(const struct gate_plan *plan, struct buf *out)
{
    buf_printf(out, "%s", plans[plan->kind].sentence);
    if (plan->kind != GATE_PLAN_DISCARD && plan->kind != GATE_PLAN_RETIRING) {
        buf_printf(out, "; %zu edge%s reload", plan->nedge, plan->nedge == 1 ? "" : "s");
        add_time(out, "the key is served no longer", plan->stops_ms);
    }
    add_time(out, "its record is withdrawn", plan->withdrawn_ms);
    add_time(out, "the last cache has dropped it", plan->harmless_ms);
    if (plan->kind == GATE_PLAN_NEW || plan->kind == GATE_PLAN_HAND_IN || plan->kind == GATE_PLAN_WAIT)
        buf_add(out,
                STR("; until then whoever has the key can pose as the edges, and no safe way is faster"));
    if (plan->held.what != GATE_AWAIT_NOTHING)
        buf_printf(out, "; held by a doubt now: %s", gate_await_sentence(plan->held.what));
}
