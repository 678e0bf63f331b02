#include "zone/keep_ask.h"

#include <stdlib.h>

#define TLSA_OF_HOST "_25._tcp."

enum { READ_MS = 30000, REST_LEAST_MS = 50, REST_MOST_MS = 60000, REST_FAILED_MS = 10000, REST_FACTOR = 5 };

void keep_versions_release(struct keep_versions *v)
{
    cover_release(&v->cover);
    *v = (struct keep_versions){0};
}

/* ---- hosts, from the database */

struct hosts {
    struct arena *a;
    int64_t zone;
    struct cover_host *v;
    size_t n;
};

static int compare_hosts(const void *x, const void *y)
{
    return str_compare(((const struct cover_host *)x)->label, ((const struct cover_host *)y)->label);
}

static enum err load_hosts(struct call *c, void *ctx)
{
    struct hosts *h = ctx;
    int64_t count;
    struct db_query *q = db_query(c->db, "SELECT COUNT(*) FROM mx_host WHERE zone_id = $1");
    db_bind_int(q, h->zone);
    enum err e = db_get_int(q, &count, c->why);
    if (e)
        return e;
    h->v = ARENA_ARRAY(h->a, struct cover_host, (size_t)count);
    q = db_query(c->db, "SELECT label, key_set_id, dane, state FROM mx_host WHERE zone_id = $1");
    db_bind_int(q, h->zone);
    while (h->n < (size_t)count && db_next(q))
        h->v[h->n++] = (struct cover_host){.label = arena_str(h->a, db_text(q, 0)),
                                           .key_set = db_int(q, 1),
                                           .is_wanted = db_int(q, 2) != 0 &&
                                                        !str_equal(db_text(q, 3), STR("quarantined"))};
    e = db_end(q, c->why);
    if (h->n)
        qsort(h->v, h->n, sizeof *h->v, compare_hosts);
    return e;
}

/* ---- a version, from the primary */

struct transfer {
    struct arena arena;
    struct dns_raw *record;
    size_t n, room;
    uint32_t serial;
};

/* Records of other names and types are not of interest, and there are many. */
static void take_record(void *ctx, const struct dns_raw *r)
{
    struct transfer *t = ctx;
    struct dns_record soa;
    if (r->type == DNS_SOA && dns_raw_record(&t->arena, r, &soa))
        t->serial = soa.soa.serial;
    if (!str_starts(r->owner, STR(TLSA_OF_HOST)) ||
        (r->type != DNS_TLSA && r->type != DNS_CNAME && r->type != DNS_TYPE_RRSIG))
        return;
    if (t->n == t->room) {
        t->room = t->room ? 2 * t->room : 256;
        t->record = must_alloc(reallocarray(t->record, t->room, sizeof *t->record));
    }
    t->record[t->n] = *r;
    t->record[t->n].owner = arena_str(&t->arena, r->owner);
    t->record[t->n++].rdata = arena_str(&t->arena, r->rdata);
}

static enum err read_version(struct keep_ask *ask, struct buf *why)
{
    struct transfer t = {0};
    const struct zone_row *row = ask->row;
    struct authority primary = {.addr = row->primary, .key = row->key.name.n ? &row->key : NULL};
    struct hosts hosts = {.a = &t.arena, .zone = row->id};
    enum err e = authority_transfer(&primary, row->name, deadline_in(READ_MS), take_record, &t, why);
    if (!e) /* now, so that every host of the version is among them */
        e = tenant_transact(ask->store, TENANT_READ, load_hosts, &hosts, why);
    if (!e) {
        dns_raw_sort(t.record, t.n);
        cover_add(&ask->versions->cover, &(struct cover_reading){.zone = row->name,
                                                                 .serial = t.serial,
                                                                 .wall_ms = clock_wall(),
                                                                 .host = hosts.v,
                                                                 .nhost = hosts.n,
                                                                 .record = t.record,
                                                                 .n = t.n});
    }
    free(t.record);
    arena_release(&t.arena);
    return e;
}

static bool is_known(struct keep_ask *ask)
{
    struct authority primary = {.addr = ask->row->primary};
    struct authority_answer answer;
    struct dns_question soa = {ask->row->name, DNS_SOA};
    enum err e = authority_ask(&primary, &ask->arena, &soa, deadline_in(ask->timeout_ms), &answer, NULL);
    return !e && answer.has_serial && cover_find(&ask->versions->cover, answer.serial);
}

/* What the primary has now, unless that is known, or reading it would be all that it does. */
static void follow_versions(struct keep_ask *ask)
{
    struct keep_versions *v = ask->versions;
    struct buf why = {0};
    int64_t began = clock_mono();
    if (began < v->not_before || is_known(ask))
        return;
    enum err e = read_version(ask, &why);
    int64_t rest = REST_FACTOR * (clock_mono() - began), least = e ? REST_FAILED_MS : REST_LEAST_MS;
    rest = rest < least ? least : rest > REST_MOST_MS ? REST_MOST_MS : rest;
    if (!e)
        log_event(LOG_DEBUG, "zone-read", LOG_STR("zone", ask->row->name),
                  LOG_NUM("serial", v->cover.version[0].serial), LOG_NUM("hosts", v->cover.nknown),
                  LOG_NUM("ms", clock_mono() - began));
    v->not_before = clock_mono() + rest;
    buf_reserve(&why, 1);
    (void)snprintf(v->why, sizeof v->why, "%s", e ? buf_cstr(&why) : "");
    if (e)
        log_event(LOG_ERROR, "zone-not-read", LOG_STR("zone", ask->row->name), LOG_STR("why", buf_str(&why)));
    buf_release(&why);
}

/* ---- questions */

static struct str name_of(struct keep_ask *ask, struct str label)
{
    return arena_printf(&ask->arena, TLSA_OF_HOST "%.*s.%.*s", STR_ARG(label), STR_ARG(ask->row->name));
}

/* A host of the most common kind stands for all in what only an answer shows: that signatures validate.
 * Empty: no host has records. */
static struct str common_name(struct keep_ask *ask, const struct keep_pair *p)
{
    const struct cover *c = &ask->versions->cover;
    const struct cover_kind *k = c->n ? cover_common(&c->version[0], p->key_set) : NULL;
    return k ? name_of(ask, k->host) : STR_NONE;
}

static void add_sample(struct keep_ask *ask, struct zone_watch *watch, struct dns_question *questions,
                       const struct cover_known *host)
{
    for (size_t i = 0; i < watch->nsample; i++)
        if (ask->sample[i] == host)
            return;
    ask->sample[watch->nsample++] = host;
    questions[watch->nquestion++] = (struct dns_question){name_of(ask, host->label), DNS_TLSA};
}

/* That a server with a version's serial has that version is its promise. Every host's turn comes to be asked
 * for, and who broke the promise is asked again and again. */
static void add_samples(struct keep_ask *ask, struct zone_watch *watch, struct dns_question *questions)
{
    struct keep_versions *v = ask->versions;
    const struct cover *c = &v->cover;
    size_t kept = 0, at = 0;
    for (size_t i = 0; i < v->nsuspect; i++) {
        const struct cover_known *host = cover_host(c, str_of(v->suspect[i]));
        if (!host)
            continue; /* it has no records any more */
        add_sample(ask, watch, questions, host);
        memmove(v->suspect[kept++], v->suspect[i], KEEP_LABEL);
    }
    v->nsuspect = kept;
    ask->nsuspect = watch->nsample;
    while (at < c->nknown && str_compare(c->known[at].label, str_of(v->last)) <= 0)
        at++;
    for (size_t i = 0; i < KEEP_SAMPLES && i < c->nknown; i++) {
        const struct cover_known *host = &c->known[(at + i) % c->nknown];
        add_sample(ask, watch, questions, host);
        (void)snprintf(v->last, sizeof v->last, "%.*s", STR_ARG(host->label));
    }
}

static enum cover_word compare(const struct keep_ask *ask, size_t sample, size_t server)
{
    const struct zone_evidence *e = &ask->evidence;
    return cover_compare(&ask->versions->cover, &e->servers[server], e->nquestion - e->nsample + sample,
                         ask->sample[sample]);
}

/* One differing answer makes a suspect; only the right answer of all servers that can be asked clears one. */
static bool is_suspect(const struct keep_ask *ask, size_t sample)
{
    const struct zone_evidence *e = &ask->evidence;
    bool differs = false, unknown = false;
    for (size_t i = 0; i < e->n; i++) {
        enum cover_word word = compare(ask, sample, i);
        differs |= word == COVER_DIFFERS;
        unknown |= word == COVER_UNKNOWN && !zone_server_is_left_out(e, &e->servers[i]);
    }
    return differs || (unknown && sample < ask->nsuspect);
}

static void follow_suspects(struct keep_ask *ask)
{
    struct keep_versions *v = ask->versions;
    v->nsuspect = 0;
    for (size_t i = 0; i < ask->evidence.nsample && v->nsuspect < KEEP_SUSPECTS; i++)
        if (is_suspect(ask, i))
            (void)snprintf(v->suspect[v->nsuspect++], KEEP_LABEL, "%.*s", STR_ARG(ask->sample[i]->label));
}

void keep_ask(struct keep_ask *ask)
{
    enum { SAMPLES_MOST = KEEP_SAMPLES + KEEP_SUSPECTS };
    struct dns_question *questions = ARENA_ARRAY(&ask->arena, struct dns_question, ask->n + SAMPLES_MOST);
    struct zone_watch watch = {.zone = ask->row->name,
                               .primary = ask->row->primary,
                               .questions = questions,
                               .unreachable = ask->unreachable};
    bool per_host = false;
    for (size_t i = 0; i < ask->n; i++)
        per_host |= ask->pair[i].per_host;
    if (per_host)
        follow_versions(ask);
    else
        keep_versions_release(ask->versions);
    ask->question = ARENA_ARRAY(&ask->arena, size_t, ask->n);
    for (size_t i = 0; i < ask->n; i++) {
        const struct keep_pair *p = &ask->pair[i];
        struct str name =
            p->per_host ? common_name(ask, p)
                        : arena_printf(&ask->arena, "_dane.%.*s.%.*s", STR_ARG(p->group), STR_ARG(p->zone));
        ask->question[i] = name.n ? watch.nquestion : SIZE_MAX;
        if (name.n)
            questions[watch.nquestion++] = (struct dns_question){name, DNS_TLSA};
    }
    ask->sample = ARENA_ARRAY(&ask->arena, const struct cover_known *, SAMPLES_MOST);
    if (per_host)
        add_samples(ask, &watch, questions);
    zone_observe(ask->resolver, ask->crew, &watch, ask->timeout_ms, &ask->evidence);
    follow_suspects(ask);
}

void keep_ask_release(struct keep_ask *ask)
{
    zone_evidence_release(&ask->evidence);
    arena_release(&ask->arena);
    *ask = (struct keep_ask){0};
}

/* ---- what follows */

/* Rows for servers that could not be asked, where there is no question that would have rows for all. */
static size_t add_silent(const struct keep_ask *ask, struct arena *a, struct gate_server *out)
{
    const struct zone_evidence *e = &ask->evidence;
    char text[ADDR_TEXT];
    size_t n = 0;
    for (size_t i = 0; i < e->n; i++)
        if (e->servers[i].state != ZONE_SERVER_GOOD && !zone_server_is_left_out(e, &e->servers[i]))
            out[n++] = (struct gate_server){
                .name =
                    arena_printf(a, "%s for %.*s", addr_format(&e->servers[i].addr, text), STR_ARG(e->zone)),
                .answer = GATE_ANSWER_SILENT};
    if (e->unknown.n || e->n == 0)
        out[n++] = (struct gate_server){.name = arena_printf(a, "the servers of %.*s", STR_ARG(e->zone)),
                                        .answer = GATE_ANSWER_SILENT};
    return n;
}

/* Rows for answers that are not what the version has, and for those of suspects that did not come. */
static size_t add_suspects(const struct keep_ask *ask, int64_t key_set, struct arena *a,
                           struct gate_server *out)
{
    const struct zone_evidence *e = &ask->evidence;
    const struct cover *c = &ask->versions->cover;
    char text[ADDR_TEXT];
    size_t n = 0;
    for (size_t i = 0; i < e->nsample; i++)
        for (size_t s = 0; s < e->n && c->version[0].kind[ask->sample[i]->kind].key_set == key_set; s++) {
            enum cover_word word = compare(ask, i, s);
            if (zone_server_is_left_out(e, &e->servers[s]) || word == COVER_AGREES ||
                (word == COVER_UNKNOWN && i >= ask->nsuspect))
                continue;
            size_t question = e->nquestion - e->nsample + i;
            zone_gate_server(a, e, &e->servers[s], question, &out[n]);
            out[n].name = arena_printf(a, "%.*s at %s", STR_ARG(e->questions[question].name),
                                       addr_format(&e->servers[s].addr, text));
            if (word == COVER_UNKNOWN)
                out[n].answer = GATE_ANSWER_SILENT;
            n++;
        }
    return n;
}

static bool is_denial(const struct gate_server *s)
{
    return s->answer == GATE_ANSWER_SECURE && s->nrecord == 0;
}

size_t keep_ask_servers(const struct keep_ask *ask, size_t pair, struct arena *a, struct gate_server **out)
{
    const struct keep_pair *p = &ask->pair[pair];
    const struct zone_evidence *e = &ask->evidence;
    struct gate_server *asked = NULL, *hosts = NULL;
    size_t nasked = 0, nhosts = 0, n = 0;
    if (ask->question[pair] != SIZE_MAX)
        nasked = zone_gate_servers(a, e, ask->question[pair], &asked);
    if (p->per_host)
        nhosts = cover_gate_servers(a, &ask->versions->cover, e, p->key_set, &hosts);
    *out = ARENA_ARRAY(a, struct gate_server, nasked + nhosts + e->n + 1 + e->n * e->nsample);
    for (size_t i = 0; i < nasked; i++)
        if (p->is_wanted || !is_denial(&asked[i]))
            (*out)[n++] = asked[i];
    for (size_t i = 0; i < nhosts; i++)
        (*out)[n++] = hosts[i];
    if (p->per_host)
        n += add_suspects(ask, p->key_set, a, *out + n);
    return ask->question[pair] != SIZE_MAX ? n : n + add_silent(ask, a, *out + n);
}

bool keep_ask_is_absent(const struct keep_ask *ask, size_t pair)
{
    struct arena a = {0};
    struct gate_server *rows;
    bool absent = true;
    size_t n = keep_ask_servers(ask, pair, &a, &rows);
    for (size_t i = 0; i < n; i++)
        absent &= is_denial(&rows[i]);
    arena_release(&a);
    return absent;
}

bool keep_ask_misses(const struct keep_ask *ask, size_t pair, const struct gate_out *out)
{
    if (!gate_has_alarm(out, GATE_AWAIT_RECORD_MISSING))
        return false; /* as in nearly every look: the rows are not made again */
    struct arena a = {0};
    struct gate_server *rows;
    bool misses = false;
    size_t n = keep_ask_servers(ask, pair, &a, &rows);
    for (size_t i = 0; i < out->nalarm; i++)
        for (size_t s = 0; s < n && out->alarm[i].what == GATE_AWAIT_RECORD_MISSING; s++)
            misses |= str_equal(rows[s].name, out->alarm[i].subject);
    arena_release(&a);
    return misses;
}

static bool tell_suspects(const struct keep_ask *ask, int64_t key_set, struct buf *why)
{
    const struct zone_evidence *e = &ask->evidence;
    char text[ADDR_TEXT];
    bool good = true;
    for (size_t i = 0; i < e->nsample; i++)
        for (size_t s = 0; s < e->n; s++) {
            if (compare(ask, i, s) != COVER_DIFFERS ||
                ask->versions->cover.version[0].kind[ask->sample[i]->kind].key_set != key_set)
                continue;
            good = false;
            buf_printf(why, "%.*s (%s) answers for %.*s what serial %u does not have on the primary\n",
                       STR_ARG(e->servers[s].name), addr_format(&e->servers[s].addr, text),
                       STR_ARG(e->questions[e->nquestion - e->nsample + i].name), e->servers[s].serial);
        }
    return good;
}

static json_t *pair_json(const struct keep_ask *ask, const struct keep_pair *p)
{
    const struct cover *c = &ask->versions->cover;
    struct buf why = {0}, name = {0};
    json_int_t hosts = 0;
    bool good = cover_is_level(c, &ask->evidence, p->key_set, &why);
    good &= tell_suspects(ask, p->key_set, &why);
    if (*ask->versions->why)
        buf_printf(&why, "the zone cannot be read from the primary: %s\n", ask->versions->why);
    for (size_t k = 0; c->n && k < c->version[0].n; k++)
        if (c->version[0].kind[k].key_set == p->key_set)
            hosts += (json_int_t)c->version[0].kind[k].hosts;
    buf_printf(&name, TLSA_OF_HOST "*.%.*s of group %.*s", STR_ARG(p->zone), STR_ARG(p->group));
    json_t *o = json_object();
    json_object_set_new(o, "name", json_of(buf_str(&name)));
    json_object_set_new(o, "hosts", json_integer(hosts));
    json_object_set_new(o, "good", json_boolean(good));
    json_object_set_new(o, "why", json_of(buf_str(&why)));
    buf_release(&why);
    buf_release(&name);
    return o;
}

json_t *keep_ask_hosts_json(const struct keep_ask *ask)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ask->n; i++)
        if (ask->pair[i].per_host)
            json_array_append_new(list, pair_json(ask, &ask->pair[i]));
    return list;
}
