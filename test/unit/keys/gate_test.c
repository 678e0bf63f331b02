/* The gate's truth tables: what a row of steps proves, what each doubt holds, what is published. Two servers,
 * two edges; TTL 30 s, so that a wait is 60 s; a step each 10 s. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "numbers.h"

enum { TTL_MS = 30000, STEP_MS = 10000, PAUSE_MS = 100000, RECORDS = 16 };
#define WALL INT64_C(1790000000000)

struct scene {
    struct gate_set set;
    struct gate_out out;
    int64_t now_ms, jump_ms;
    uint64_t boot;
    uint32_t serial;
    int old, new; /* keys */
};

static struct gate_key key_of(int number, int ca, enum gate_state state)
{
    struct gate_key k = {
        .id = number * 10 + ca, .pair_id = number, .has_ta = ca != 0, .state = state, .proven_ms = -1};
    number_digest(number, 'k', k.spki);
    if (ca)
        number_digest(ca, 'c', k.ta);
    if (state == GATE_ACTIVE)
        k.proven_ms = GATE_SETTLED;
    return k;
}

static void scene_init(struct scene *s, enum gate_state old, enum gate_state new)
{
    *s = (struct scene){.boot = 1, .serial = 1, .old = 1, .new = 2};
    s->set = (struct gate_set){.id = 1, .ttl_ms = TTL_MS, .keeps_next = false, .no_ta_ms = -1};
    s->set.wants[GATE_ECDSA] = true;
    s->set.key[s->set.nkey++] = key_of(1, 0, old);
    s->set.key[s->set.nkey++] = key_of(2, 0, new);
}

/* One step, 10 s after the last; `what` says how the world differs from one in which all is well:
 *   .  nothing                        a  server 0 lacks the new key's record    A  server 0 is silent
 *   I  server 1 does not validate     X  signatures expire soon                 Z  server 0 has no RRset
 *   u  server 0 has an unknown record n  there is a third server                l  server 0 has a TTL of 60 s
 *   o  edge 0 serves the old key      O  both do                                E  edge 1 is silent
 *   F  edge 1 has not confirmed       U  edge 0 serves a key nobody knows
 *   j  the wall clock jumped          r  the machine was started anew
 *   -  100 s passed and the zones changed     =  100 s passed and nothing changed
 * Capital or small, a letter is one step, but j, r, - and = come before the step of the next letter. */
struct view {
    struct gate_server server[3];
    struct gate_record record[3][RECORDS];
    struct gate_edge edge[2];
    struct gate_served served[2];
    struct gate_evidence e;
};

static void look(const struct scene *s, char what, struct view *v)
{
    *v = (struct view){.e = {.boot = s->boot,
                             .wall_ms = WALL + s->now_ms + s->jump_ms,
                             .mono_ms = s->now_ms,
                             .is_turn = true}};
    struct gate_out published;
    gate_records(&s->set, &published);
    static const char *const names[] = {"server 0", "server 1", "server 2"};
    v->e.nserver = what == 'n' ? 3 : 2;
    v->e.server = v->server;
    for (size_t i = 0; i < v->e.nserver; i++) {
        struct gate_server *server = &v->server[i];
        *server = (struct gate_server){.name = str_of(names[i]),
                                       .answer = GATE_ANSWER_SECURE,
                                       .serial = s->serial,
                                       .ttl_ms = TTL_MS,
                                       .record = v->record[i],
                                       .nrecord = published.nrecord,
                                       .expires_ms = v->e.wall_ms + 86400000};
        memcpy(v->record[i], published.record, published.nrecord * sizeof *published.record);
    }
    struct gate_record new = gate_key_record(&s->set.key[1]);
    for (size_t i = 0; what == 'a' && i < v->server[0].nrecord; i++)
        if (gate_record_is(&v->record[0][i], &new))
            v->record[0][i] = v->record[0][--v->server[0].nrecord];
    if (what == 'u')
        v->record[0][v->server[0].nrecord++] = (struct gate_record){3, 1, 1, {'x'}};
    if (what == 'A')
        v->server[0].answer = GATE_ANSWER_SILENT, v->server[0].nrecord = 0;
    if (what == 'I')
        v->server[1].answer = GATE_ANSWER_INVALID;
    if (what == 'X')
        v->server[1].expires_ms = v->e.wall_ms + TTL_MS;
    if (what == 'Z')
        v->server[0].nrecord = 0, v->server[0].ttl_ms = 0;
    if (what == 'l')
        v->server[0].ttl_ms = 2 * TTL_MS;
    v->e.nedge = 2;
    v->e.edge = v->edge;
    int active = s->set.key[1].state == GATE_ACTIVE ? s->new : s->old;
    for (size_t i = 0; i < 2; i++) {
        int number = what == 'O' || (what == 'o' && i == 0) ? s->old : what == 'U' && i == 0 ? 9 : active;
        number_digest(number, 'k', v->served[i].spki);
        v->edge[i] = (struct gate_edge){
            .name = str_of(i ? "edge 1" : "edge 0"), .served = &v->served[i], .nserved = 1, .age_ms = 1000};
    }
    if (what == 'E')
        v->edge[1].age_ms = 31000;
    if (what == 'F')
        v->edge[1].age_ms = -1, v->edge[1].nserved = 0;
}

static void play(struct scene *s, const char *steps)
{
    struct view v;
    for (const char *p = steps; *p; p++) {
        if (*p == ' ')
            continue;
        if (*p == '-' || *p == '=') {
            s->now_ms += PAUSE_MS;
            s->serial += *p == '-';
        } else if (*p == 'j') {
            s->jump_ms += 3600000;
        } else if (*p == 'r') {
            s->boot++;
        } else {
            s->now_ms += STEP_MS;
            look(s, *p, &v);
            gate_step(&s->set, &v.e, &s->out);
        }
    }
}

static const struct gate_key *key(const struct scene *s, int number)
{
    for (size_t i = 0; i < s->set.nkey; i++)
        if (digest_number(s->set.key[i].spki) == number)
            return &s->set.key[i];
    return NULL;
}

static const char *state_of(const struct scene *s, int number)
{
    const struct gate_key *k = key(s, number);
    return k ? gate_state_name(k->state) : "forgotten";
}

/* G1: seven sightings, the first at 0 s and the last at 60 s, make two TTLs. */
static void a_key_is_served_after_two_ttls_on_every_server(void **state)
{
    (void)state;
    static const struct {
        const char *steps, *next, *why;
    } rows[] = {
        {"......", "published", "50 s are too short"},
        {".......", "active", "60 s"},
        {"...a...", "published", "missing on one server: from the start"},
        {"...a.......", "active", "and 60 s after that"},
        {"......A", "published", "nothing is proven by a server that is silent"},
        {"...A...", "active", "a silence shorter than a TTL, and the same serials before and after"},
        {"..AAAAAA-.", "published", "a silence of more than a TTL, and other serials"},
        {"...Z.......", "active", "a server without the RRset lacks the record, too"},
        {"...Z......", "published", "so the sum starts anew"},
        {"......I", "published", "nor by an answer that does not validate"},
        {"...j...", "published", "signatures were judged by a wrong clock"},
        {"...j........", "active", "but that ends"},
        {"...-....", "published", "unseen for longer than a TTL: from the start"},
        {"...-.......", "active", "then 60 s"},
        {"...=.", "active", "unseen, but no zone changed"},
        {"...r...", "published", "over a reboot no time is proven"},
        {"...n...", "published", "a server that was never seen"},
        {"..l....", "published", "the larger TTL counts: 120 s"},
        {"..l..........", "active", "from the first sighting on"},
        {"......E", "published", "nothing moves while an edge is silent (G4)"},
        {"......E.", "active", "its record went on being seen"},
        {"......u", "published", "nothing moves beside an unknown record (G4)"},
        {"......X", "published", "nor with signatures that expire soon (G4)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene s;
        scene_init(&s, GATE_ACTIVE, GATE_PUBLISHED);
        s.set.key[1].roll = GATE_ROLL_ASKED;
        play(&s, rows[i].steps);
        if (strcmp(state_of(&s, 2), rows[i].next) != 0)
            fail_msg("\"%s\" (%s): the next key is %s, not %s", rows[i].steps, rows[i].why, state_of(&s, 2),
                     rows[i].next);
    }
}

/* G2: confirmations after the switch count; the first comes at 10 s, so 60 s are over with the eighth. */
static void a_record_is_withdrawn_two_ttls_after_the_last_edge_stopped(void **state)
{
    (void)state;
    static const struct {
        const char *steps, *old, *why;
    } rows[] = {
        {".......", "retiring", "50 s since the first confirmation"},
        {"........", "gone", "60 s"},
        {"oo......", "retiring", "an edge still served it at first"},
        {"...o....", "retiring", "an edge serves it again: from the start"},
        {"...o........", "gone", "and 60 s after that"},
        {"...EEEE....", "retiring", "an edge that was silent for longer than a TTL: from the start"},
        {".......E", "retiring", "and nothing moves while it is (G4)"},
        {"EEEEEEEEEEEE", "retiring", "however long"},
        {"FFFFFFFFFFFF", "retiring", "nor one that never confirmed"},
        {"OOOOOOOOOOOO", "retiring", "while it is served it stays"},
        {"AAAAAAAAAAAA", "retiring", "and while a server is silent (G4)"},
        {"...-....", "retiring", "edges could have gone back unseen"},
        {"..............", "gone", "it is remembered while caches may hold its record"},
        {"...............", "forgotten", "for two TTLs in which no server shows it"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene s;
        scene_init(&s, GATE_RETIRING, GATE_ACTIVE);
        play(&s, rows[i].steps);
        if (strcmp(state_of(&s, 1), rows[i].old) != 0)
            fail_msg("\"%s\" (%s): the old key is %s, not %s", rows[i].steps, rows[i].why, state_of(&s, 1),
                     rows[i].old);
    }
}

static bool has_record(const struct gate_out *out, int number)
{
    struct gate_record r = {.usage = 3, .selector = 1, .mtype = 1};
    number_digest(number, 'k', r.digest);
    for (size_t i = 0; i < out->nrecord; i++)
        if (gate_record_is(&out->record[i], &r))
            return true;
    return false;
}

/* G4: all is ready for the switch, and one thing is in doubt. */
static void in_doubt_nothing_moves_and_it_is_said(void **state)
{
    (void)state;
    static const struct {
        char what;
        enum gate_await awaited;
        const char *subject;
    } rows[] = {
        {'A', GATE_AWAIT_SERVER_SILENT, "server 0"},     {'I', GATE_AWAIT_NOT_VALIDATED, "server 1"},
        {'X', GATE_AWAIT_SIGNATURE_EXPIRES, "server 1"}, {'j', GATE_AWAIT_CLOCK_JUMPED, ""},
        {'F', GATE_AWAIT_EDGE_UNCONFIRMED, "edge 1"},    {'E', GATE_AWAIT_EDGE_SILENT, "edge 1"},
        {'U', GATE_AWAIT_EDGE_AHEAD, "edge 0"},          {'u', GATE_AWAIT_RECORD_UNKNOWN, "server 0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene s;
        scene_init(&s, GATE_ACTIVE, GATE_READY);
        play(&s, "........");
        assert_string_equal(state_of(&s, 2), "ready"); /* nobody asked yet */
        s.set.key[1].roll = GATE_ROLL_FORCED;
        play(&s, rows[i].what == 'j' ? "j." : (const char[]){rows[i].what, '\0'});
        if (s.out.waiting.what != rows[i].awaited ||
            !str_equal(s.out.waiting.subject, str_of(rows[i].subject)))
            fail_msg("'%c': awaits %s (%.*s)", rows[i].what, gate_await_name(s.out.waiting.what),
                     STR_ARG(s.out.waiting.subject));
        assert_string_equal(state_of(&s, 1), "active");
        assert_string_not_equal(state_of(&s, 2), "active");
        assert_true(s.out.additions_only && !s.out.may_start);
        assert_int_equal(s.out.serve[GATE_ECDSA].what, GATE_SERVE_KEEP);
        assert_true(has_record(&s.out, 1) && has_record(&s.out, 2));
        assert_true(gate_await_is_doubt(rows[i].awaited));
        if (rows[i].what == 'U')
            assert_true(has_record(&s.out, 9)); /* what an edge serves belongs into every RRset */
    }
}

/* A restored database calls the old key active again. While the edges serve the new one nothing moves; once
 * it is accepted the new one stays. */
static void a_restored_database_does_not_win(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s, GATE_ACTIVE, GATE_READY);
    play(&s, "........");
    const struct gate_set backup = s.set;
    s.set.key[1].roll = GATE_ROLL_ASKED;
    play(&s, "...........");
    assert_string_equal(state_of(&s, 2), "active");
    s.set = backup;
    s.old = 2; /* what edges serve */
    s.serial++;
    play(&s, "-OOOOOOOOOOOO");
    assert_int_equal(s.out.waiting.what, GATE_AWAIT_EDGE_AHEAD);
    assert_int_equal(s.out.serve[GATE_ECDSA].what, GATE_SERVE_KEEP);
    assert_true(s.out.additions_only);
    struct view v;
    struct buf why = {0};
    look(&s, 'O', &v);
    assert_int_equal(gate_accept(&s.set, &v.e, &why), GATE_DONE);
    assert_string_equal(state_of(&s, 2), "active");
    assert_string_equal(state_of(&s, 1), "retiring");
    assert_int_equal(gate_accept(&s.set, &v.e, &why), GATE_REFUSED);
    /* While the keystore was not told of another key than the old one, edges may load it again. */
    assert_int_equal(key(&s, 1)->proven_ms, GATE_UNTOLD);
    s.old = 1;
    play(&s, "AAAAAAAAAAAA");
    assert_int_equal(key(&s, 1)->proven_ms, GATE_UNTOLD);
    play(&s, "....");
    assert_true(key(&s, 1)->proven_ms >= 0);
    buf_release(&why);
}

/* An active key that edges pass over is proven before they are told to serve it. */
static void an_active_key_that_is_not_served_is_proven_first(void **state)
{
    (void)state;
    static const struct {
        const char *steps;
        enum gate_serve serve;
    } rows[] = {
        {"..", GATE_SERVE_KEY},        /* all serve it */
        {".o", GATE_SERVE_KEY},        /* one is late: watched without a gap, it is still proven */
        {".-o", GATE_SERVE_KEEP},      /* something happened unseen: no */
        {".-oooooo", GATE_SERVE_KEEP}, /* 50 s */
        {".-ooooooo", GATE_SERVE_KEY}, /* two TTLs in sight */
        {".-o.", GATE_SERVE_KEY},      /* all serve it now */
        {".=o", GATE_SERVE_KEY},       /* unseen, but no zone changed */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene s;
        scene_init(&s, GATE_RETIRING, GATE_ACTIVE);
        play(&s, rows[i].steps);
        if (s.out.serve[GATE_ECDSA].what != rows[i].serve)
            fail_msg("\"%s\": serve %d, awaits %s", rows[i].steps, s.out.serve[GATE_ECDSA].what,
                     gate_await_name(s.out.waiting.what));
        assert_int_equal(s.out.waiting.what == GATE_AWAIT_UNPROVEN, rows[i].serve == GATE_SERVE_KEEP);
    }
}

/* G3, G5: 2 1 1 is of every chain that may be served, or of none. */
static void every_combination_that_is_published_matches(void **state)
{
    (void)state;
    static const struct {
        int ca[2];
        enum gate_state of[2];
        bool ta, lost;
        const char *records;
    } rows[] = {
        {{0, 0}, {GATE_ACTIVE, GATE_READY}, false, false, "3:k1 3:k2"},
        {{0, 0}, {GATE_ACTIVE, GATE_GENERATED}, false, false, "3:k1"},
        {{0, 0}, {GATE_GONE, GATE_ACTIVE}, false, false, "3:k2"},
        {{1, 1}, {GATE_ACTIVE, GATE_PUBLISHED}, false, false, "3:k1 3:k2"},
        {{1, 1}, {GATE_ACTIVE, GATE_PUBLISHED}, true, false, "2:c1 3:k1 3:k2"},
        {{1, 2}, {GATE_ACTIVE, GATE_PUBLISHED}, true, false, "2:c1 2:c2 3:k1 3:k2"}, /* the CA switches */
        {{1, 0}, {GATE_ACTIVE, GATE_PUBLISHED}, true, false, "2:c1 3:k1 3:k2"},
        {{1, 0}, {GATE_RETIRING, GATE_ACTIVE}, true, false, "3:k1 3:k2"}, /* a chain without a CA is served */
        {{1, 2}, {GATE_RETIRING, GATE_ACTIVE}, true, false, "2:c1 2:c2 3:k1 3:k2"},
        {{0, 1}, {GATE_RETIRING, GATE_ACTIVE}, true, true, "3:k1 3:k2"}, /* a lost key's chain is not known */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gate_set set = {.ta = rows[i].ta, .is_ta_on = rows[i].ta, .ttl_ms = TTL_MS};
        for (size_t k = 0; k < 2; k++)
            set.key[set.nkey++] = key_of((int)k + 1, rows[i].ca[k], rows[i].of[k]);
        if (rows[i].lost) {
            set.key[0].lost = gate_key_record(&set.key[0]);
            set.key[0].is_lost = true;
        }
        struct gate_out out = {0};
        char text[128];
        gate_records(&set, &out);
        record_text(out.record, out.nrecord, text, sizeof text);
        if (strcmp(text, rows[i].records) != 0)
            fail_msg("row %zu: {%s}, not {%s}", i, text, rows[i].records);
    }
}

/* The first RRset: keys are served before anything is promised. */
static void the_first_rrset_waits_for_the_edges(void **state)
{
    (void)state;
    struct scene s;
    scene_init(&s, GATE_GENERATED, GATE_GENERATED);
    struct view v;
    for (int i = 0; i < 3; i++) {
        s.now_ms += STEP_MS;
        look(&s, 'Z', &v);
        v.server[1].nrecord = 0;
        for (size_t e = 0; i < 2 && e < 2; e++)
            v.edge[e].nserved = 0;
        gate_step(&s.set, &v.e, &s.out);
        assert_string_equal(state_of(&s, 1), "active");
        assert_int_equal(s.out.serve[GATE_ECDSA].what, GATE_SERVE_KEY);
        assert_int_equal(s.out.may_start, i == 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_served_after_two_ttls_on_every_server),
        cmocka_unit_test(a_record_is_withdrawn_two_ttls_after_the_last_edge_stopped),
        cmocka_unit_test(in_doubt_nothing_moves_and_it_is_said),
        cmocka_unit_test(a_restored_database_does_not_win),
        cmocka_unit_test(an_active_key_that_is_not_served_is_proven_first),
        cmocka_unit_test(every_combination_that_is_published_matches),
        cmocka_unit_test(the_first_rrset_waits_for_the_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
