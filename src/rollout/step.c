#include "rollout/step.h"

static const struct {
    const char *name, *sentence;
} states[] =
    {
#define X(name, text, sentence) [ROLLOUT_##name] = {text, sentence},
        ROLLOUT_STATE_TABLE(X)
#undef X
},
  causes[] = {
#define X(name, text, sentence) [ROLLOUT_CAUSE_##name] = {text, sentence},
      ROLLOUT_CAUSE_TABLE(X)
#undef X
};

const char *rollout_state_name(enum rollout_state s)
{
    return states[s].name;
}

const char *rollout_state_sentence(enum rollout_state s)
{
    return states[s].sentence;
}

bool rollout_state_parse(struct str text, enum rollout_state *out)
{
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (str_equal(text, str_of(states[i].name))) {
            *out = (enum rollout_state)i;
            return true;
        }
    return false;
}

const char *rollout_cause_name(enum rollout_cause c)
{
    return causes[c].name;
}

const char *rollout_cause_sentence(enum rollout_cause c)
{
    return causes[c].sentence;
}

bool rollout_cause_parse(struct str text, enum rollout_cause *out)
{
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
        if (str_equal(text, str_of(causes[i].name))) {
            *out = (enum rollout_cause)i;
            return true;
        }
    return false;
}

bool rollout_is_worse(const struct rollout_rules *r, struct rollout_counts now, struct rollout_counts before)
{
    if (now.bad < r->least)
        return false;
    double all = (double)now.good + (double)now.bad;
    double all_before = (double)before.good + (double)before.bad;
    double share_before = all_before > 0 ? (double)before.bad / all_before : 0;
    return (double)now.bad > all * (share_before + (double)r->tolerance / 1000);
}

static bool is_bad(const struct rollout_rules *r, const struct rollout_wave *w, enum rollout_cause *cause)
{
    *cause = w->bad_probes > 0  ? ROLLOUT_CAUSE_PROBES
             : w->told.is_worse ? ROLLOUT_CAUSE_REPORTS
                                : ROLLOUT_CAUSE_FAILURES;
    return w->bad_probes > 0 || w->told.is_worse || rollout_is_worse(r, w->now, w->before);
}

/* Harm ends whatever else is unknown; moving on needs everything to be known and well. */
struct rollout_decision rollout_decide(const struct rollout_view *v)
{
    struct rollout_decision d = {.what = ROLLOUT_WAIT};
    for (size_t i = 0; i < v->begun; i++)
        if (is_bad(&v->rules, &v->wave[i], &d.cause)) {
            d.what = ROLLOUT_UNDO;
            d.from = i;
            return d;
        }
    const struct rollout_wave *last = v->begun ? &v->wave[v->begun - 1] : NULL;
    if (last && !last->is_ready)
        d.cause = ROLLOUT_CAUSE_ENABLING;
    else if (v->is_blind)
        d.cause = ROLLOUT_CAUSE_BLIND;
    else if (v->gate != ROLLOUT_GATE_CALM)
        d.cause = v->gate == ROLLOUT_GATE_ALARM ? ROLLOUT_CAUSE_GATE : ROLLOUT_CAUSE_GATE_UNSEEN;
    else if (v->is_awaited)
        d.cause = ROLLOUT_CAUSE_PROBES_AWAITED;
    else if (last && last->held_ms < v->rules.hold_ms)
        d.cause = ROLLOUT_CAUSE_HOLDING;
    else {
        d.what = v->begun < v->waves ? ROLLOUT_BEGIN : ROLLOUT_FINISH;
        d.cause = last ? ROLLOUT_CAUSE_HELD : ROLLOUT_CAUSE_OPERATOR;
    }
    return d;
}
