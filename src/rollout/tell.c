#include "rollout/tell.h"

static void tell_wave(const struct rollout *r, size_t i, json_t *lines)
{
    const struct rollout_wave *w = &r->wave[i];
    if (!r->begun_ms[i]) {
        json_append_line(lines, "  wave %zu  domains %zu  not begun", i + 1, w->domains);
        return;
    }
    json_append_line(lines, "  wave %zu  domains %zu  %s, well for %lld s of %lld", i + 1, w->domains,
                     i >= r->begun ? "undone"
                     : w->is_ready ? "on"
                                   : "being switched on",
                     (long long)(w->held_ms / 1000), (long long)(r->rules.hold_ms / 1000));
    json_append_line(
        lines, "    mail: %lld good, %lld bad; before: %lld good, %lld bad; MX hosts with bad probes: %lld",
        (long long)w->now.good, (long long)w->now.bad, (long long)w->before.good, (long long)w->before.bad,
        (long long)w->bad_probes);
    const struct rollout_told *t = &w->told;
    if (t->now.good || t->now.bad)
        json_append_line(lines, "    TLS reports: %lld sessions good, %lld bad; before: %lld good, %lld bad",
                         (long long)t->now.good, (long long)t->now.bad, (long long)t->before.good,
                         (long long)t->before.bad);
    if (*t->organization)
        json_append_line(lines, "      most failures by %s: %s, %lld sessions", t->organization, t->result,
                         (long long)t->sessions);
}

void rollout_tell(const struct rollout *r, json_t *described)
{
    json_t *lines = json_array(), *one;
    const char *because = json_string_value(json_object_get(described, "because"));
    size_t i;
    json_append_line(lines, "rollout %.*s is %s: %s", STR_ARG(r->name), rollout_state_name(r->state),
                     rollout_state_sentence(r->state));
    if (because && *because)
        json_append_line(lines, "  because %s", because);
    for (i = 0; i < r->waves; i++)
        tell_wave(r, i, lines);
    json_array_foreach(json_object_get(described, "failures"), i, one) json_append_line(
        lines, "  %s was left as it is: %s", json_string_value(json_object_get(one, "domain")),
        json_string_value(json_object_get(one, "error")));
    json_object_set_new(described, "lines", lines);
}
