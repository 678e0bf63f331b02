/* The module zone at a pipe, for tests without a control daemon (test/system/zone_test.py): a JSON object a
 * line in, one out. Verbs: publish (with "skew": our clock is wrong by so many seconds), read, observe. */
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/codec.h"
#include "base/crew.h"
#include "dns/resolver.h"
#include "zone/publish.h"
#include "zone/verify.h"

static struct arena arena; /* of one line */
static struct crew *crew;

static struct str text(const json_t *in, const char *key)
{
    const char *s = json_string_value(json_object_get(in, key));
    ENSURE(s);
    return str_of(s);
}

static struct str octets(struct str encoded, bool (*decode)(struct buf *out, struct str text))
{
    struct buf b = {0};
    ENSURE(decode(&b, encoded));
    struct str kept = arena_str(&arena, buf_str(&b));
    buf_release(&b);
    return kept;
}

static int64_t number(const json_t *in, const char *key)
{
    return json_integer_value(json_object_get(in, key));
}

static json_t *to_text(struct str s)
{
    return json_stringn(s.n ? s.p : "", s.n);
}

static json_t *record_text(const struct dns_raw *r)
{
    struct buf b = {0};
    dns_raw_text(&b, r);
    json_t *out = to_text(buf_str(&b));
    buf_release(&b);
    return out;
}

static struct addr address(struct str s)
{
    struct addr a = {0};
    ENSURE(s.n == 0 || addr_parse(s, 53, &a));
    return a;
}

/* "primary", and "key", "algorithm", "secret" (base64) when there is a key. */
static struct authority primary_of(const json_t *in)
{
    struct authority s = {.addr = address(text(in, "primary"))};
    if (json_object_get(in, "key")) {
        struct tsig_key *key = ARENA_NEW(&arena, struct tsig_key);
        key->name = text(in, "key");
        key->secret = octets(text(in, "secret"), base64_decode);
        ENSURE(tsig_algorithm_parse(text(in, "algorithm"), &key->algorithm));
        s.key = key;
    }
    return s;
}

static struct dns_change *changes_of(const json_t *in, size_t *n)
{
    const json_t *list = json_object_get(in, "changes");
    *n = json_array_size(list);
    struct dns_change *changes = ARENA_ARRAY(&arena, struct dns_change, *n + 1);
    for (size_t i = 0; i < *n; i++) {
        const json_t *c = json_array_get(list, i);
        changes[i] = (struct dns_change){
            .op = str_equal(text(c, "op"), STR("add")) ? DNS_ADD : DNS_REMOVE,
            .record = {.owner = text(c, "owner"),
                       .type = (uint16_t)number(c, "type"),
                       .ttl = (uint32_t)number(c, "ttl"),
                       .rdata = octets(text(c, "rdata"), hex_decode)},
        };
    }
    return changes;
}

static json_t *do_publish(const json_t *in)
{
    size_t n;
    struct authority primary = primary_of(in);
    const struct dns_change *changes = changes_of(in, &n);
    struct zone_published out;
    struct buf why = {0};
    int64_t start = clock_mono();
    if (number(in, "skew"))
        clock_set_for_test(clock_wall() + number(in, "skew") * 1000);
    enum err e = zone_publish(&primary, text(in, "zone"), changes, n, deadline_in(number(in, "ms")), &arena,
                              &out, &why);
    clock_set_for_test(0);
    json_t *refused = json_array();
    for (size_t i = 0; i < out.nrefused; i++)
        json_array_append_new(
            refused, json_pack("[Io]", (json_int_t)out.refused[i].change, to_text(out.refused[i].why)));
    json_t *said =
        json_pack("{ss sI sI so so sI}", "error", err_text(e), "sent", (json_int_t)out.sent, "updates",
                  (json_int_t)out.updates, "refused", refused, "why",
                  to_text(e == OK ? STR("") : buf_str(&why)), "ms", (json_int_t)(clock_mono() - start));
    buf_release(&why);
    return said;
}

static json_t *do_read(const json_t *in)
{
    struct authority primary = primary_of(in);
    struct zone_snapshot s;
    struct buf why = {0};
    int64_t start = clock_mono();
    enum err e = zone_read_back(&primary, text(in, "zone"), deadline_in(number(in, "ms")), &s, &why);
    json_t *records = json_array();
    for (size_t i = 0; i < s.n; i++)
        json_array_append_new(records, record_text(&s.records[i]));
    json_t *said =
        json_pack("{ss sI so so sI}", "error", err_text(e), "serial", (json_int_t)s.serial, "records",
                  records, "why", to_text(buf_str(&why)), "ms", (json_int_t)(clock_mono() - start));
    zone_snapshot_release(&s);
    buf_release(&why);
    return said;
}

static json_t *server_json(const struct zone_evidence *e, const struct zone_server *s)
{
    char where[ADDR_TEXT];
    json_t *sets = json_array();
    for (size_t i = 0; s->state == ZONE_SERVER_GOOD && i < e->nquestion; i++) {
        json_t *records = json_array();
        for (size_t j = 0; j < s->rrsets[i].n; j++)
            json_array_append_new(records, record_text(&s->rrsets[i].records[j]));
        json_array_append_new(sets, json_pack("{so ss sI sI}", "records", records, "proof",
                                              zone_proof_name(s->rrsets[i].proof), "ttl",
                                              (json_int_t)s->rrsets[i].ttl, "expires_ms",
                                              (json_int_t)s->rrsets[i].expires_ms));
    }
    return json_pack("{so ss ss so sI sb so}", "name", to_text(s->name), "address",
                     addr_format(&s->addr, where), "state", zone_server_state_name(s->state), "why",
                     to_text(s->why), "serial", (json_int_t)s->serial, "lags", zone_server_lags(e, s),
                     "rrsets", sets);
}

static json_t *evidence_json(const struct zone_evidence *e)
{
    static const char *const GATE[] = {"silent", "invalid", "secure"};
    json_t *servers = json_array(), *everywhere = json_array(), *gate = json_array();
    struct buf why = {0};
    for (size_t i = 0; i < e->n; i++)
        json_array_append_new(servers, server_json(e, &e->servers[i]));
    for (size_t i = 0; i < e->nquestion; i++) {
        struct gate_server *rows;
        size_t n = zone_gate_servers(&arena, e, i, &rows);
        json_array_append_new(everywhere, json_boolean(zone_is_everywhere(e, i, &why)));
        for (size_t j = 0; j < n; j++)
            json_array_append_new(gate, json_pack("[osI]", to_text(rows[j].name), GATE[rows[j].answer],
                                                  (json_int_t)rows[j].nrecord));
    }
    json_t *out =
        json_pack("{so sb so so so so}", "unknown", to_text(e->unknown), "secure", e->security == DNS_SECURE,
                  "servers", servers, "everywhere", everywhere, "gate", gate, "why", to_text(buf_str(&why)));
    buf_release(&why);
    return out;
}

static json_t *do_observe(const json_t *in)
{
    const json_t *list = json_object_get(in, "questions");
    struct zone_watch watch = {.zone = text(in, "zone"),
                               .primary = address(text(in, "primary")),
                               .nquestion = json_array_size(list)};
    struct dns_question *questions = ARENA_ARRAY(&arena, struct dns_question, watch.nquestion + 1);
    for (size_t i = 0; i < watch.nquestion; i++) {
        const json_t *q = json_array_get(list, i);
        questions[i] = (struct dns_question){text(q, "name"), (enum dns_type)number(q, "type")};
    }
    watch.questions = questions;
    struct resolver *resolver =
        resolver_new(&(struct resolver_conf){.address = address(text(in, "resolver"))});
    struct dns_source source = resolver_source(resolver);
    struct zone_evidence e;
    int64_t start = clock_mono();
    zone_observe(&source, crew, &watch, number(in, "ms"), &e);
    json_t *out = evidence_json(&e);
    (void)json_object_set_new(out, "ms", json_integer(clock_mono() - start));
    zone_evidence_release(&e);
    resolver_free(resolver);
    return out;
}

static const struct {
    const char *name;
    json_t *(*run)(const json_t *in);
} VERBS[] = {{"publish", do_publish}, {"read", do_read}, {"observe", do_observe}};

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    crew = crew_new(1000);
    while (getline(&line, &room, stdin) > 0) {
        json_t *in = json_loads(line, 0, NULL), *out = NULL;
        ENSURE(in);
        for (size_t i = 0; i < sizeof VERBS / sizeof *VERBS; i++)
            if (str_equal(text(in, "verb"), str_of(VERBS[i].name)))
                out = VERBS[i].run(in);
        ENSURE(out);
        (void)json_dumpf(out, stdout, JSON_COMPACT);
        (void)putchar('\n');
        (void)fflush(stdout);
        json_decref(in);
        json_decref(out);
        arena_release(&arena);
    }
    free(line);
    crew_free(crew);
    return 0;
}
