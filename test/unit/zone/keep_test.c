/* What the keeper reads from the database: zones as they should be, and the TLSA RRsets that may be out
 * there. No network. */
#include "../keys/fixture.h"

#include "tenant/allocate.h"
#include "zone/keep_json.h"

static struct keeper *keeper_for(struct fixture *f)
{
    struct keeper *k = keeper_new(&(struct keeper_conf){.board = f->board});
    k->store = f->t;
    return k;
}

static void a_zone_with_two_hosts(struct fixture *f)
{
    good(f, "edge.group.add", "{'edge_group': 'here', 'address': '192.0.2.1'}");
    good(f, "zone.add", "{'zone': 'mx.example', 'primary': '192.0.2.53', 'edge_group': 'here', 'ttl': '60'}");
    good(f, "key.add", "{'group': 'g1'}");
    good(f, "tenant.add", "{'tenant': 'acme'}");
    good(f, "domain.add",
         "{'domain': ['a.example', 'b.example'], 'tenant': 'acme', 'mailbox_host': 'lmtp:127.0.0.1:24',"
         " 'dane': false}");
}

/* As if the gate had looked at every key set: one record, in doubt or not. */
struct looked {
    struct board *board;
    bool in_doubt;
};

static enum err post_all(struct call *c, void *ctx)
{
    struct looked *l = ctx;
    struct key_row *rows;
    size_t n;
    enum err e = keys_rows(c, &rows, &n);
    for (size_t i = 0; !e && i < n; i++) {
        struct board_view view = {.stepped_ms = 1};
        view.out.additions_only = l->in_doubt;
        view.out.may_start = !l->in_doubt;
        view.out.record[view.out.nrecord++] = (struct gate_record){3, 1, 1, {1}};
        board_post(l->board, rows[i].id, &view);
    }
    return e;
}

static void gate_looks(struct fixture *f, bool in_doubt)
{
    struct looked l = {f->board, in_doubt};
    assert_int_equal(tenant_transact(f->t, TENANT_READ, post_all, &l, &f->why), OK);
}

/* ---- pairs */

static enum err list(struct call *c, void *ctx)
{
    struct buf *out = ctx;
    struct keep_pair *pairs;
    size_t n;
    buf_clear(out);
    enum err e = keep_pairs(c, c->a, &pairs, &n);
    for (size_t i = 0; !e && i < n; i++) {
        bool noted;
        e = keep_pair_is_noted(c, &pairs[i], &noted);
        buf_printf(out, "%.*s %.*s%s%s%s;", STR_ARG(pairs[i].zone), STR_ARG(pairs[i].group),
                   pairs[i].per_host ? " hosts" : "", pairs[i].is_wanted ? " wanted" : "",
                   noted ? " noted" : "");
    }
    return e;
}

static void expect_pairs(struct fixture *f, const char *wanted)
{
    struct buf text = {0};
    assert_int_equal(tenant_transact(f->t, TENANT_READ, list, &text, &f->why), OK);
    assert_string_equal(buf_cstr(&text), wanted);
    buf_release(&text);
}

static enum err each(struct call *c, enum err (*run)(struct call *c, const struct keep_pair *p))
{
    struct keep_pair *pairs;
    size_t n;
    enum err e = keep_pairs(c, c->a, &pairs, &n);
    for (size_t i = 0; !e && i < n; i++)
        e = run(c, &pairs[i]);
    return e;
}

static enum err note_all(struct call *c, void *ctx)
{
    (void)ctx;
    return each(c, keep_pair_note);
}

static enum err forget_all(struct call *c, void *ctx)
{
    (void)ctx;
    return each(c, keep_pair_forget);
}

static enum err expire(struct call *c, void *ctx)
{
    int64_t left;
    (void)ctx;
    return mx_host_expire(c, INT64_MAX, &left);
}

static enum err note_again(struct call *c, void *ctx)
{
    struct keep_pair p = {0};
    (void)ctx;
    enum err e = db_get_int(db_query(c->db, "SELECT id FROM zone"), &p.zone_id, c->why);
    if (!e)
        e = db_get_int(db_query(c->db, "SELECT id FROM key_set"), &p.key_set, c->why);
    return e ? e : keep_pair_note(c, &p);
}

static void change(struct fixture *f, enum err (*run)(struct call *c, void *ctx))
{
    assert_int_equal(tenant_transact(f->t, TENANT_WRITE, run, NULL, &f->why), OK);
}

static void what_was_noted_stays_until_it_is_forgotten(void **state)
{
    struct fixture *f = *state;
    a_zone_with_two_hosts(f);
    expect_pairs(f, "");
    good(f, "domain.dane.enable", "{'domain': 'a.example'}");
    expect_pairs(f, "mx.example g1 wanted;"); /* not noted: nothing was sent */
    good(f, "domain.dane.disable", "{'domain': 'a.example'}");
    expect_pairs(f, "");
    good(f, "domain.dane.enable", "{'domain': ['a.example', 'b.example']}");
    change(f, note_all);
    change(f, note_all); /* twice is no error */
    expect_pairs(f, "mx.example g1 wanted noted;");
    good(f, "domain.dane.disable", "{'domain': 'a.example'}");
    expect_pairs(f, "mx.example g1 wanted noted;");
    good(f, "domain.dane.disable", "{'domain': 'b.example'}");
    expect_pairs(f, "mx.example g1 noted;");
    reopen(f);
    expect_pairs(f, "mx.example g1 noted;");
    good(f, "domain.dane.enable", "{'domain': 'b.example'}");
    change(f, forget_all); /* meanwhile it is wanted again */
    expect_pairs(f, "mx.example g1 wanted noted;");
    good(f, "domain.dane.disable", "{'domain': 'b.example'}");
    change(f, forget_all);
    expect_pairs(f, "");
}

/* The old form is out there when the new one is wanted. */
static void both_forms_of_a_zone_are_told_apart(void **state)
{
    struct fixture *f = *state;
    a_zone_with_two_hosts(f);
    good(f, "domain.dane.enable", "{'domain': ['a.example', 'b.example']}");
    change(f, note_all);
    good(f, "zone.set", "{'zone': 'mx.example', 'tlsa': 'host'}");
    expect_pairs(f, "mx.example g1 noted;mx.example g1 hosts wanted;");
    change(f, note_all);
    good(f, "zone.set", "{'zone': 'mx.example', 'tlsa': 'alias'}");
    expect_pairs(f, "mx.example g1 wanted noted;mx.example g1 hosts noted;");
    change(f, forget_all); /* the one that nobody wants */
    expect_pairs(f, "mx.example g1 wanted noted;");
}

/* A host that leaves keeps its records for two TTLs; then it wants none, and the pair stays as what was
 * noted. */
static void the_last_host_leaves(void **state)
{
    struct fixture *f = *state;
    a_zone_with_two_hosts(f);
    good(f, "domain.dane.enable", "{'domain': 'a.example'}");
    change(f, note_all);
    good(f, "domain.remove", "{'domain': 'a.example'}");
    expect_pairs(f, "mx.example g1 wanted noted;");
}

static void a_zone_whose_records_may_be_cached_stays(void **state)
{
    struct fixture *f = *state;
    good(f, "edge.group.add", "{'edge_group': 'here', 'address': '192.0.2.1'}");
    good(f, "zone.add", "{'zone': 'mx.example', 'primary': '192.0.2.53', 'edge_group': 'here'}");
    good(f, "zone.remove", "{'zone': 'mx.example'}");
    good(f, "edge.group.remove", "{'edge_group': 'here'}");
    a_zone_with_two_hosts(f);
    good(f, "domain.dane.enable", "{'domain': 'a.example'}");
    change(f, note_all);
    good(f, "domain.dane.disable", "{'domain': 'a.example'}");
    good(f, "domain.dnssec.disable", "{'domain': ['a.example', 'b.example']}");
    change(f, expire);
    assert_int_equal(call(f, "zone.remove", "{'zone': 'mx.example'}"), ERR_REFUSED);
    assert_non_null(strstr(buf_cstr(&f->why), "may still have TLSA records"));
    change(f, forget_all);
    assert_int_equal(call(f, "zone.remove", "{'zone': 'mx.example'}"), ERR_REFUSED); /* labels, as ever */
    assert_non_null(strstr(buf_cstr(&f->why), "label(s)"));
    change(f, note_again);
    good(f, "zone.remove", "{'zone': 'mx.example', 'force': true}");
    expect_pairs(f, "");
}

static void absence_is_a_time_without_a_gap(void **state)
{
    (void)state;
    static const struct {
        int64_t now_ms;
        bool absent, over;
    } looks[] = {
        {1000, true, false}, {1100, true, false},  {1199, true, false},
        {1200, true, true},  {1210, false, false}, {1220, true, false},
        {1300, true, false}, {1419, true, true}, /* over: 199 ms and then some */
        {1700, true, false},                     /* a gap: it begins anew */
        {1800, true, false}, {1900, true, true},
    };
    struct keep_absences all = {0};
    struct keep_pair p = {.zone_id = 1, .key_set = 2}, other = {.zone_id = 1, .key_set = 2, .per_host = true};
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        int64_t wait_ms = i == 7 ? 199 : 200;
        if (keep_absence_follow(&all, &p, looks[i].absent, looks[i].now_ms, wait_ms, 150) != looks[i].over)
            fail_msg("look %zu: it is not %d", i, looks[i].over);
        assert_false(keep_absence_follow(&all, &other, i % 2 == 0, looks[i].now_ms, 200, 150));
    }
    keep_absences_release(&all);
}

/* ---- the zone as it should be */

static uint64_t load(struct keeper *k, struct keep_spec *s)
{
    struct buf why = {0};
    if (keep_spec_load(k, "mx.example", s, &why))
        fail_msg("%s", buf_cstr(&why));
    buf_release(&why);
    return keep_spec_hash(s);
}

/* The stamp is the same, whoever reads it. */
static uint64_t hash(struct keeper *k, uint64_t *stamp)
{
    struct keep_spec s;
    struct keep_stamps all;
    struct buf why = {0};
    uint64_t h = load(k, &s);
    assert_int_equal(keep_stamps_load(k, &all, &why), OK);
    assert_int_equal(all.n, 1);
    assert_int_equal(all.stamps[0], s.stamp);
    *stamp = s.stamp;
    keep_spec_release(&s);
    arena_release(&all.arena);
    buf_release(&why);
    return h;
}

static void everything_that_changes_a_zone_changes_its_hash(void **state)
{
    static const struct {
        const char *verb, *args;
        bool changes;
    } rows[] = {
        {"tenant.add", "{'tenant': 'globex'}", false},
        {"zone.set", "{'zone': 'mx.example', 'capacity': '77'}", false},
        {"zone.set", "{'zone': 'mx.example', 'ttl': '61'}", true},
        {"zone.set", "{'zone': 'mx.example', 'address_ttl': '61'}", true},
        {"zone.set", "{'zone': 'mx.example', 'primary': '192.0.2.54'}", true},
        {"zone.set", "{'zone': 'mx.example', 'tlsa': 'host'}", true},
        {"edge.group.set", "{'edge_group': 'here', 'address': ['192.0.2.1', '192.0.2.2']}", true},
        {"domain.dane.enable", "{'domain': 'a.example'}", true},
        {"domain.dane.enable", "{'domain': 'a.example'}", false},
        {"domain.dane.disable", "{'domain': 'a.example'}", true},
        {"domain.add",
         "{'domain': 'c.example', 'tenant': 'acme', 'mailbox_host': 'lmtp:127.0.0.1:24', 'dane': false}",
         true},
        {"key.add", "{'group': 'g2'}", true},
    };
    struct fixture *f = *state;
    a_zone_with_two_hosts(f);
    struct keeper *k = keeper_for(f);
    gate_looks(f, false);
    uint64_t stamp = 0, before = hash(k, &stamp);
    assert_int_equal(hash(k, &stamp), before);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        good(f, rows[i].verb, rows[i].args);
        gate_looks(f, false);
        uint64_t stamp_before = stamp, now = hash(k, &stamp);
        if ((now != before) != rows[i].changes)
            fail_msg("%s %s: the hash %s", rows[i].verb, rows[i].args, now == before ? "stays" : "changes");
        if (rows[i].changes && stamp == stamp_before)
            fail_msg("%s %s: the stamp stays", rows[i].verb, rows[i].args);
        before = now;
    }
    gate_looks(f, true);
    assert_int_not_equal(hash(k, &stamp), before);
    keeper_free(k);
}

/* A snapshot is one primary's, seen with one key. */
static void a_source_is_a_primary_and_a_key(void **state)
{
    static const struct {
        const char *args;
        bool changes;
    } rows[] = {
        {"{'zone': 'mx.example', 'ttl': '61'}", false},
        {"{'zone': 'mx.example', 'primary': '192.0.2.53:54'}", true},
        {"{'zone': 'mx.example', 'primary': '192.0.2.54:54'}", true},
        {"{'zone': 'mx.example', 'tsig': 'k:hmac-sha256:c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0'}", true},
        {"{'zone': 'mx.example', 'tsig': 'k:hmac-sha512:c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0'}", true},
        {"{'zone': 'mx.example', 'tsig': 'k:hmac-sha512:b3RoZXJzZWNyZXRvdGhlcnNlY3JldA=='}", true},
        {"{'zone': 'mx.example', 'tlsa': 'host'}", false},
    };
    struct fixture *f = *state;
    struct keep_spec s;
    a_zone_with_two_hosts(f);
    struct keeper *k = keeper_for(f);
    gate_looks(f, false);
    (void)load(k, &s);
    uint64_t before = keep_spec_source(&s);
    keep_spec_release(&s);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        good(f, "zone.set", rows[i].args);
        (void)load(k, &s);
        uint64_t now = keep_spec_source(&s);
        if ((now != before) != rows[i].changes)
            fail_msg("%s: the source %s", rows[i].args, now == before ? "stays" : "changes");
        before = now;
        keep_spec_release(&s);
    }
    keeper_free(k);
}

static void a_group_is_published_as_the_gate_said_last(void **state)
{
    struct fixture *f = *state;
    struct keep_spec s;
    a_zone_with_two_hosts(f);
    good(f, "domain.dane.enable", "{'domain': 'a.example'}");
    struct keeper *k = keeper_for(f);
    assert_int_equal(keep_spec_load(k, "mx.example", &s, &f->why),
                     ERR_REFUSED); /* nothing before its first word */
    assert_non_null(strstr(buf_cstr(&f->why), "has not looked at key group g1"));
    keep_spec_release(&s);
    struct keep_stamps all;
    assert_int_equal(keep_stamps_load(k, &all, &f->why), OK);
    assert_int_equal(all.stamps[0], 0); /* no stamp of anything */
    arena_release(&all.arena);
    gate_looks(f, true);
    (void)load(k, &s);
    assert_true(s.spec.groups[0].additions_only && s.spec.groups[0].no_start);
    keep_spec_release(&s);
    gate_looks(f, false);
    (void)load(k, &s);
    assert_int_equal(s.spec.group_n, 1);
    assert_int_equal(s.spec.groups[0].n, 1);
    assert_false(s.spec.groups[0].additions_only || s.spec.groups[0].no_start);
    assert_false(s.noted[0]);
    struct keep_pair p = keep_spec_pair(&s, 0);
    assert_true(str_equal(p.group, STR("g1")) && str_equal(p.zone, STR("mx.example")));
    assert_false(p.per_host);
    keep_spec_release(&s);
    change(f, note_all);
    (void)load(k, &s);
    assert_true(s.noted[0]);
    keep_spec_release(&s);
    assert_int_equal(keep_spec_load(k, "other.example", &s, &f->why), ERR_NOT_FOUND);
    assert_non_null(strstr(buf_cstr(&f->why), "kedge zone list"));
    keep_spec_release(&s);
    keeper_free(k);
}

/* A group that starts again: its zone published {old}, lost its last host, and gets one after a roll. All
 * that was proven before or without the zone is proven anew. */
static void a_group_that_starts_again_proves_anew(void **state)
{
    (void)state;
    struct gate_set set = {.id = 1, .wants = {true}, .ttl_ms = 5000, .nkey = 2};
    struct gate_record records[2];
    struct gate_server row = {.name = STR("192.0.2.1:53 for mx.example"),
                              .answer = GATE_ANSWER_SECURE,
                              .serial = 1,
                              .ttl_ms = 5000,
                              .expires_ms = INT64_MAX / 4,
                              .record = records,
                              .nrecord = 1};
    for (size_t i = 0; i < 2; i++) {
        set.key[i] = (struct gate_key){.id = (int64_t)i + 1,
                                       .pair_id = (int64_t)i + 1,
                                       .state = i ? GATE_PUBLISHED : GATE_ACTIVE,
                                       .proven_ms = i ? -1 : GATE_SETTLED,
                                       .roll = i ? GATE_ROLL_ASKED : GATE_ROLL_NO};
        memset(set.key[i].spki, (int)i + 1, sizeof set.key[i].spki);
        records[i] = (struct gate_record){.usage = 3, .selector = 1, .mtype = 1};
        memset(records[i].digest, (int)i + 1, sizeof records[i].digest);
    }
    struct gate_out out;
    struct gate_evidence e = {
        .boot = 1, .wall_ms = 1000000, .mono_ms = 1000, .is_turn = true, .server = &row};
    /* A server shows the old record alone: nothing is proven, however long that lasts. */
    e.nserver = 1;
    for (int i = 0; i < 10; i++, e.wall_ms += 2500, e.mono_ms += 2500)
        gate_step(&set, &e, &out);
    assert_int_equal(set.key[1].state, GATE_PUBLISHED);
    assert_int_equal(set.key[1].proven_ms, -1);
    /* It is gone there: two TTLs from now, caches have none without the new record. */
    e.nserver = 0;
    for (int i = 0; i < 4; i++, e.wall_ms += 2500, e.mono_ms += 2500) {
        gate_step(&set, &e, &out);
        assert_int_equal(set.key[1].state, GATE_PUBLISHED);
    }
    gate_step(&set, &e, &out);
    assert_int_equal(set.key[1].state, GATE_ACTIVE); /* as was asked */
    assert_int_equal(set.key[0].state, GATE_RETIRING);
}

/* ---- verbs, and what people are told */

static void nothing_runs_before_it_is_started(void **state)
{
    struct fixture *f = *state;
    struct keeper *k = keeper_new(&(struct keeper_conf){.board = f->board});
    struct tenant_verb_table tables[] = {{zone_verbs, zone_verb_count, k}};
    struct buf why = {0};
    json_t *args = json_object(), *result = NULL;
    tenant_close(f->t);
    f->t = tenant_open(
        &(struct tenant_args){
            .data_directory = f->folder, .hostname = "edge.example", .tables = tables, .table_count = 1},
        &f->why);
    assert_non_null(f->t);
    for (size_t i = 0; i < zone_verb_count; i++) {
        enum err e = tenant_call(f->t, &(struct tenant_request){.verb = zone_verbs[i].name, .args = args},
                                 &result, &why);
        json_decref(result);
        assert_int_equal(e, ERR_STOPPED);
        assert_non_null(strstr(buf_cstr(&why), "starting or stopping"));
    }
    json_decref(args);
    buf_release(&why);
    keeper_wake(k); /* nobody listens: no harm */
    keeper_free(k);
    keeper_free(NULL);
}

static void the_word_for_a_zone(void **state)
{
    (void)state;
    static const struct {
        struct keep_report report;
        bool is_busy, has_news, db_changed;
        const char *refused, *word;
    } rows[] = {
        {{.read_ms = 0}, false, false, false, NULL, "not-read-yet"},
        {{.failed = true}, false, true, true, NULL, "unreachable"},
        {{.read_ms = 1, .failed = true}, false, true, true, NULL, "failing"},
        {{.read_ms = 1, .backlog = 5}, false, false, false, "x", "refused"},
        {{.read_ms = 1, .backlog = 5}, false, true, false, NULL, "publishing"},
        {{.read_ms = 1}, true, false, false, NULL, "publishing"},
        {{.read_ms = 1}, false, true, false, NULL, "waiting"},
        {{.read_ms = 1}, false, false, true, NULL, "waiting"},
        {{.read_ms = 1}, false, false, false, NULL, "not-verified-yet"},
    };
    struct zone_row row = {.name = STR("mx.example")};
    assert_true(addr_parse(STR("192.0.2.53:53"), 0, &row.primary));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct keeper k = {.news = rows[i].db_changed};
        struct keep_zone z = {
            .keeper = &k, .report = rows[i].report, .is_busy = rows[i].is_busy, .has_news = rows[i].has_news};
        if (rows[i].refused)
            z.report.refused = json_pack("[s]", rows[i].refused);
        json_t *o = keep_status_json(&z, &row), *lines = keep_status_lines(o);
        assert_string_equal(json_string_value(json_object_get(o, "state")), rows[i].word);
        assert_true(json_is_false(json_object_get(o, "good")));
        assert_non_null(strstr(json_string_value(json_array_get(lines, 0)), rows[i].word));
        json_decref(o);
        json_decref(lines);
        json_decref(z.report.refused);
    }
}

/* Hosts with records of their own count for the whole. */
static void a_host_that_differs_makes_a_zone_not_level(void **state)
{
    (void)state;
    struct zone_server server = {.name = STR("a"), .state = ZONE_SERVER_GOOD, .serial = 7};
    assert_true(addr_parse(STR("192.0.2.1:53"), 0, &server.addr));
    struct zone_evidence e = {.zone = STR("mx.example"), .security = DNS_SECURE, .n = 1, .servers = &server};
    for (int is_good = 0; is_good < 2; is_good++) {
        json_t *hosts = json_pack("[{ss si sb ss}]", "name", "_25._tcp.*.mx.example of group g1", "hosts", 12,
                                  "good", is_good, "why", is_good ? "" : "h5 has other records\n");
        json_t *o = keep_evidence_json(&e, hosts), *lines = keep_evidence_lines(&e, o);
        char *text = json_dumps(lines, 0);
        assert_int_equal(json_is_true(json_object_get(o, "good")), is_good);
        assert_non_null(strstr(text, "12 hosts"));
        assert_int_equal(strstr(text, "h5 has other records") != NULL, !is_good);
        free(text);
        json_decref(lines);
        json_decref(o);
        json_decref(hosts);
    }
}

/* The alarm names a server and a zone: that zone is read back, and no other. */
static void a_missing_record_is_looked_for_in_its_zone(void **state)
{
    (void)state;
    static const struct {
        enum gate_await what;
        const char *subject;
        bool misses;
    } rows[] = {
        {GATE_AWAIT_RECORD_MISSING, "192.0.2.1:53 for mx.example", true},
        {GATE_AWAIT_RECORD_MISSING, "192.0.2.1:53 for k.mx.example", false},
        {GATE_AWAIT_RECORD_MISSING, "192.0.2.2:53 for mx.example", false},
        {GATE_AWAIT_RECORD_UNKNOWN, "192.0.2.1:53 for mx.example", false},
    };
    struct zone_rrset denied = {.proof = ZONE_PROOF_VALID};
    struct zone_server server = {.name = STR("a"), .state = ZONE_SERVER_GOOD, .serial = 7, .rrsets = &denied};
    struct dns_question question = {STR("_dane.g1.mx.example"), DNS_TLSA};
    struct keep_pair pair = {.zone_id = 1, .key_set = 2, .is_wanted = true};
    size_t at = 0;
    struct keep_ask ask = {.pair = &pair,
                           .n = 1,
                           .question = &at,
                           .evidence = {.zone = STR("mx.example"),
                                        .nquestion = 1,
                                        .questions = &question,
                                        .security = DNS_SECURE,
                                        .n = 1,
                                        .servers = &server}};
    assert_true(addr_parse(STR("192.0.2.1:53"), 0, &server.addr));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gate_out out = {.nalarm = 2};
        out.alarm[0].what = GATE_AWAIT_EDGE_SILENT;
        out.alarm[1] = (struct gate_waiting){.what = rows[i].what, .subject = str_of(rows[i].subject)};
        if (keep_ask_misses(&ask, 0, &out) != rows[i].misses)
            fail_msg("%s", rows[i].subject);
    }
    assert_false(keep_ask_misses(&ask, 0, &(struct gate_out){0}));
}

#define WITH_DATABASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DATABASE(what_was_noted_stays_until_it_is_forgotten),
        WITH_DATABASE(both_forms_of_a_zone_are_told_apart),
        WITH_DATABASE(the_last_host_leaves),
        WITH_DATABASE(a_zone_whose_records_may_be_cached_stays),
        cmocka_unit_test(absence_is_a_time_without_a_gap),
        WITH_DATABASE(everything_that_changes_a_zone_changes_its_hash),
        WITH_DATABASE(a_source_is_a_primary_and_a_key),
        WITH_DATABASE(a_group_is_published_as_the_gate_said_last),
        cmocka_unit_test(a_group_that_starts_again_proves_anew),
        WITH_DATABASE(nothing_runs_before_it_is_started),
        cmocka_unit_test(the_word_for_a_zone),
        cmocka_unit_test(a_host_that_differs_makes_a_zone_not_level),
        cmocka_unit_test(a_missing_record_is_looked_for_in_its_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
