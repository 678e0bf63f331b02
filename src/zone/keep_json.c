#include "zone/keep_json.h"

json_t *keep_record_json(const struct dns_raw *r)
{
    struct buf text = {0};
    dns_raw_text(&text, r);
    json_t *o = json_of(buf_str(&text));
    buf_release(&text);
    return o;
}

static json_t *addr_json(const struct addr *a)
{
    char text[ADDR_TEXT];
    return json_string(addr_format(a, text));
}

/* Why an address that cannot be reached holds the gate or not, and what to do. */
static struct str reach_why(const struct zone_evidence *e, const struct zone_server *s)
{
    if (s->state != ZONE_SERVER_NO_ROUTE)
        return s->why;
    if (zone_server_is_left_out(e, s))
        return STR("left out, as zone_unreachable_family says: another address of the name answers");
    if (e->unreachable != ZONE_FAMILY_NONE)
        return STR("no other address of the name answers for it, or zone_unreachable_family is another");
    return STR(
        "this machine has no route to it; give it one, or see zone_unreachable_family in kedge.conf(5)");
}

static json_t *server_json(const struct zone_evidence *e, const struct zone_server *s)
{
    json_t *o = json_object();
    bool good = s->state == ZONE_SERVER_GOOD;
    json_object_set_new(o, "server", json_of(s->name));
    json_object_set_new(o, "address", addr_json(&s->addr));
    json_object_set_new(o, "state", json_string(zone_server_state_name(s->state)));
    json_object_set_new(o, "why", json_of(reach_why(e, s)));
    json_object_set_new(o, "left_out", json_boolean(zone_server_is_left_out(e, s)));
    json_object_set_new(o, "serial", good ? json_integer(s->serial) : json_null());
    json_object_set_new(o, "lags", json_boolean(zone_server_lags(e, s)));
    json_object_set_new(o, "ms", json_integer(s->took_ms));
    return o;
}

/* The earliest end of a signature over our records, on any server; 0: none seen. */
static int64_t first_expiry(const struct zone_evidence *e)
{
    int64_t first = 0;
    for (size_t i = 0; i < e->n; i++)
        for (size_t q = 0; e->servers[i].state == ZONE_SERVER_GOOD && q < e->nquestion; q++) {
            int64_t at = e->servers[i].rrsets[q].expires_ms;
            if (at && (!first || at < first))
                first = at;
        }
    return first;
}

static json_t *rrset_json(const struct zone_evidence *e, size_t question)
{
    struct buf why = {0};
    json_t *o = json_object(), *records = json_array();
    bool good = zone_is_everywhere(e, question, &why);
    json_object_set_new(o, "name", json_of(e->questions[question].name));
    json_object_set_new(o, "good", json_boolean(good));
    json_object_set_new(o, "why", json_of(buf_str(&why)));
    for (size_t i = 0; i < e->n && !json_array_size(records); i++) {
        const struct zone_server *s = &e->servers[i];
        for (size_t r = 0; s->state == ZONE_SERVER_GOOD && r < s->rrsets[question].n; r++)
            json_array_append_new(records, keep_record_json(&s->rrsets[question].records[r]));
    }
    json_object_set_new(o, "records", records);
    buf_release(&why);
    return o;
}

json_t *keep_evidence_json(const struct zone_evidence *e, const json_t *hosts)
{
    json_t *o = json_object(), *servers = json_array(), *rrsets = json_array();
    bool good = !e->unknown.n && e->n > 0 && e->security == DNS_SECURE;
    for (size_t i = 0; i < e->n; i++) {
        const struct zone_server *s = &e->servers[i];
        good = good &&
               (zone_server_is_left_out(e, s) || (s->state == ZONE_SERVER_GOOD && !zone_server_lags(e, s)));
        json_array_append_new(servers, server_json(e, &e->servers[i]));
    }
    for (size_t q = 0; q < e->nquestion - e->nsample; q++) {
        json_t *one = rrset_json(e, q);
        good = good && json_is_true(json_object_get(one, "good"));
        json_array_append_new(rrsets, one);
    }
    for (size_t i = 0; i < json_array_size(hosts); i++) {
        json_t *one = json_array_get(hosts, i);
        good = good && json_is_true(json_object_get(one, "good"));
        json_array_append(rrsets, one);
    }
    json_object_set_new(o, "zone", json_of(e->zone));
    json_object_set_new(o, "good", json_boolean(good));
    json_object_set_new(o, "signed", json_boolean(e->security == DNS_SECURE));
    json_object_set_new(o, "unknown", json_of(e->unknown));
    json_object_set_new(o, "servers", servers);
    json_object_set_new(o, "rrsets", rrsets);
    json_object_set_new(o, "signatures_until", json_time(first_expiry(e)));
    json_object_set_new(o, "looked", json_time(e->wall_ms));
    return o;
}

static void tell_server(json_t *lines, const json_t *s)
{
    bool has_serial = json_is_integer(json_object_get(s, "serial"));
    json_append_line(lines, "  %s %s: %s%s%s", json_text_at(s, "server"), json_text_at(s, "address"),
                     json_text_at(s, "state"), *json_text_at(s, "why") ? ", " : "", json_text_at(s, "why"));
    if (has_serial)
        json_append_line(lines, "    serial %lld%s, %lld ms", json_number_at(s, "serial"),
                         json_is_true(json_object_get(s, "lags")) ? ", BEHIND the newest" : "",
                         json_number_at(s, "ms"));
}

static void tell_evidence(json_t *lines, const json_t *o)
{
    size_t i;
    json_t *one;
    if (*json_text_at(o, "unknown"))
        json_append_line(lines, "  its servers cannot be found: %s", json_text_at(o, "unknown"));
    if (!json_is_true(json_object_get(o, "signed")))
        json_append_line(
            lines,
            "  the resolver does not vouch for its keys: it is not signed, or its DS record is missing");
    json_array_foreach(json_object_get(o, "servers"), i, one) tell_server(lines, one);
    json_array_foreach(json_object_get(o, "rrsets"), i, one)
    {
        bool good = json_is_true(json_object_get(one, "good"));
        if (json_object_get(one, "hosts"))
            json_append_line(lines, "  %s: %lld hosts, %s", json_text_at(one, "name"),
                             json_number_at(one, "hosts"),
                             good ? "all the same in every version that servers show" : "NOT level:");
        else
            json_append_line(lines, "  %s: %zu records, %s", json_text_at(one, "name"),
                             json_array_size(json_object_get(one, "records")),
                             good ? "everywhere the same and valid" : "NOT level:");
        struct str rest = str_of(good ? "" : json_text_at(one, "why"));
        for (struct str why; rest.n && (why = str_cut(&rest, '\n')).n;)
            json_append_line(lines, "    %.*s", STR_ARG(why));
    }
    json_append_line(lines, "  signatures valid until %s", json_text_at(o, "signatures_until"));
}

json_t *keep_evidence_lines(const struct zone_evidence *e, const json_t *described)
{
    json_t *lines = json_array();
    json_append_line(lines, "%.*s: %s", STR_ARG(e->zone),
                     json_is_true(json_object_get(described, "good")) ? "good" : "NOT good");
    tell_evidence(lines, described);
    return lines;
}

/* The word for it all, worst first. */
static const char *state_of(const struct keep_zone *z, const json_t *seen)
{
    const struct keep_report *r = &z->report;
    if (!r->read_ms)
        return r->failed ? "unreachable" : "not-read-yet";
    if (r->failed)
        return "failing";
    if (json_array_size(r->refused) || json_array_size(r->blocked))
        return "refused";
    if (r->backlog || z->is_busy)
        return "publishing";
    if (z->has_news || z->keeper->news != z->keeper->compared) /* it comes in its turn */
        return "waiting";
    if (!seen)
        return "not-verified-yet";
    return json_is_true(json_object_get(seen, "good")) ? "level" : "not-level";
}

static void add_list(json_t *o, const char *name, const json_t *list)
{
    json_object_set_new(o, name, list ? json_deep_copy(list) : json_array());
}

static const char *what_to_do(const struct zone_delegation *d, const struct zone_ds *ds)
{
    if (ds->is_wanted && !ds->is_there)
        return d->sight == ZONE_DS_MISSING ? "enter" : "wait"; /* not looked up: it may be there */
    return zone_ds_may_go(d, ds) ? "remove" : "keep";
}

static json_t *delegation_json(const struct zone_delegation *d)
{
    static const char *const sights[] = {"none", "seen", "missing", "unknown"};
    json_t *o = json_object(), *list = json_array();
    for (size_t i = 0; i < d->n; i++) {
        struct buf text = {0};
        zone_ds_text(&text, d->ds[i].rdata);
        json_t *one = json_object();
        json_object_set_new(one, "ds", json_of(buf_str(&text)));
        json_object_set_new(one, "wanted", json_boolean(d->ds[i].is_wanted));
        json_object_set_new(one, "at_parent", json_boolean(d->ds[i].is_there));
        json_object_set_new(one, "since", json_time(d->ds[i].since_ms));
        json_object_set_new(one, "do", json_string(what_to_do(d, &d->ds[i])));
        json_array_append_new(list, one);
        buf_release(&text);
    }
    json_object_set_new(o, "state", json_string(sights[d->sight]));
    json_object_set_new(o, "why", json_of(d->why));
    json_object_set_new(o, "records", list);
    return o;
}

json_t *keep_status_json(const struct keep_zone *z, const struct zone_row *row)
{
    const struct keep_report *r = &z->report;
    json_t *seen = z->has_evidence ? keep_evidence_json(&z->evidence, z->hosts) : NULL, *o = json_object();
    const char *state = state_of(z, seen);
    json_object_set_new(o, "zone", json_of(row->name));
    json_object_set_new(o, "state", json_string(state));
    json_object_set_new(o, "good", json_boolean(strcmp(state, "level") == 0));
    json_object_set_new(o, "why", json_string(r->why));
    json_object_set_new(o, "primary", addr_json(&row->primary));
    json_object_set_new(o, "serial", r->read_ms ? json_integer(r->serial) : json_null());
    json_object_set_new(o, "backlog", json_integer((json_int_t)r->backlog));
    json_object_set_new(o, "failures", json_integer(z->pace.failures));
    json_object_set_new(o, "published", json_time(r->published_ms));
    json_object_set_new(o, "read", json_time(r->read_ms));
    add_list(o, "refused", r->refused);
    add_list(o, "blocked", r->blocked);
    add_list(o, "foreign", r->foreign);
    json_object_set_new(o, "foreign_count", json_integer((json_int_t)r->foreign_n));
    json_object_set_new(o, "delegation", seen ? delegation_json(&z->delegation) : json_null());
    if (seen)
        json_object_update_missing(o, seen);
    json_decref(seen);
    return o;
}

/* What the operator has to do at the parent, with the records as they are entered there. */
static void tell_delegation(json_t *lines, const char *zone, const json_t *o)
{
    size_t i;
    json_t *one;
    const char *state = json_text_at(o, "state");
    bool awaited = strcmp(state, "missing") == 0;
    if (awaited || strcmp(state, "unknown") == 0)
        json_append_line(lines, "  DS %s: %s", awaited ? "awaited at the parent" : "not decided",
                         json_text_at(o, "why"));
    json_array_foreach(json_object_get(o, "records"), i, one)
    {
        const char *todo = json_text_at(one, "do");
        if (strcmp(todo, "enter") == 0)
            json_append_line(lines,
                             "    enter at the parent, and leave what is there: %s. DS %s (awaited since %s)",
                             zone, json_text_at(one, "ds"), json_text_at(one, "since"));
        else if (strcmp(todo, "remove") == 0)
            json_append_line(lines, "    may be removed at the parent: %s. DS %s", zone,
                             json_text_at(one, "ds"));
    }
}

json_t *keep_status_lines(const json_t *o)
{
    size_t i;
    json_t *one, *lines = json_array();
    json_append_line(lines, "%s: %s%s%s", json_text_at(o, "zone"), json_text_at(o, "state"),
                     *json_text_at(o, "why") ? ", " : "", json_text_at(o, "why"));
    json_append_line(lines, "  primary %s, serial %lld; %lld changes to go; last published %s, read back %s",
                     json_text_at(o, "primary"), json_number_at(o, "serial"), json_number_at(o, "backlog"),
                     json_text_at(o, "published"), json_text_at(o, "read"));
    json_array_foreach(json_object_get(o, "refused"), i, one)
        json_append_line(lines, "  refused: %s %s: %s", json_text_at(one, "change"),
                         json_text_at(one, "record"), json_text_at(one, "why"));
    json_array_foreach(json_object_get(o, "blocked"), i, one)
        json_append_line(lines, "  blocked by a foreign record: %s", json_string_value(one));
    if (json_number_at(o, "foreign_count"))
        json_append_line(lines, "  %lld records are not ours and are left alone (kedge zone diff shows them)",
                         json_number_at(o, "foreign_count"));
    tell_delegation(lines, json_text_at(o, "zone"), json_object_get(o, "delegation"));
    if (json_object_get(o, "servers"))
        tell_evidence(lines, o);
    else
        json_append_line(lines, "  its servers were not asked yet");
    return lines;
}
