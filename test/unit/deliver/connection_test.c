/* Connections: greeting, EHLO and STARTTLS against a scripted server. */
#include "scene.h"

static void nothing_listens(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE, SCRIPT(PLAIN, "<QUIT"), NULL);
    assert_int_equal(s->opening.blame, BLAME_NOBODY);
    struct connection other;
    struct connection_target target = s->target;
    addr_set_port(&target.to, 1); /* tcpmux: nobody's */
    struct outcome o = connection_open(&other, &target, &s->arena);
    assert_int_equal(o.reason, REASON_CONNECT_FAILED);
    assert_int_equal(trouble_verdict(&o), VERDICT_NEXT_HOST);
    connection_quit(&s->c, s->tls);
}

static void a_5xx_greeting_blames_the_host(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE, SCRIPT("554 no service", "<QUIT"), NULL);
    assert_int_equal(s->opening.blame, BLAME_HOST);
    assert_int_equal(s->opening.reason, REASON_REFUSED);
    assert_int_equal(trouble_verdict(&s->opening), VERDICT_NEXT_HOST);
}

static void level_none_takes_helo(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE, SCRIPT("220 hi", "<EHLO", "502 what", "<HELO us.example", "250 ok"), NULL);
    assert_int_equal(s->opening.blame, BLAME_NOBODY);
    assert_int_equal(s->c.offered.bits, 0);
}

static void refused_ehlo_is_no_way_around_tls(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_ENCRYPT, SCRIPT("220 hi", "<EHLO", "502 what", "<QUIT"), NULL);
    assert_int_equal(s->opening.reason, REASON_STARTTLS_NOT_OFFERED);
    assert_int_equal(trouble_verdict(&s->opening), VERDICT_NEXT_HOST);
}

static void starttls_not_offered(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_DANE, SCRIPT(PLAIN, "<QUIT"), NULL);
    assert_int_equal(s->opening.reason, REASON_STARTTLS_NOT_OFFERED);
    assert_string_equal(s->opening.code, "4.7.321");
}

static void starttls_refused_never_bounces(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_DANE,
               SCRIPT("220 hi", "<EHLO", "250-mx\n250 STARTTLS", "<STARTTLS", "554 5.7.0 no", "<QUIT"), NULL);
    assert_int_equal(s->opening.reason, REASON_STARTTLS_REFUSED);
    assert_string_equal(s->opening.code, "4.7.321");
    assert_int_equal(trouble_verdict(&s->opening), VERDICT_NEXT_HOST);
}

static void level_none_goes_on_in_clear_text(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE, SCRIPT("220 hi", "<EHLO", "250-mx\n250 STARTTLS", "<STARTTLS", "454 not now"),
               NULL);
    assert_int_equal(s->opening.blame, BLAME_NOBODY);
    assert_null(s->c.tls.protocol);
}

static void bytes_behind_220_end_the_session(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE,
               SCRIPT("220 hi", "<EHLO", "250-mx\n250 STARTTLS", "<STARTTLS", "220 go\n250 injected"), NULL);
    assert_int_equal(s->opening.reason, REASON_STARTTLS_INJECTED);
    assert_int_equal(s->opening.blame, BLAME_HOST);
}

static void a_failed_handshake_defers_once(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE, SCRIPT("220 hi", "<EHLO", "250-mx\n250 STARTTLS", "<STARTTLS", "220 go", "!"),
               NULL);
    assert_int_equal(s->opening.reason, REASON_HANDSHAKE_FAILED);
}

static void then_goes_in_clear_text(void **state)
{
    struct scene *s = *state;
    s->target.clear_text_allowed = true;
    scene_play(s, LEVEL_NONE, SCRIPT("220 hi", "<EHLO", "250-mx\n250 STARTTLS", "<STARTTLS", "220 go", "!"),
               SCRIPT("220 hi", "<EHLO", "250-mx\n250 STARTTLS"));
    assert_int_equal(s->opening.blame, BLAME_NOBODY);
    assert_true(s->c.handshake_failed);
    assert_null(s->c.tls.protocol);
}

static void but_never_under_encrypt(void **state)
{
    struct scene *s = *state;
    s->target.clear_text_allowed = true;
    scene_play(s, LEVEL_ENCRYPT,
               SCRIPT("220 hi", "<EHLO", "250-mx\n250 STARTTLS", "<STARTTLS", "220 go", "!"), NULL);
    assert_int_equal(s->opening.reason, REASON_HANDSHAKE_FAILED);
    assert_int_equal(s->peer.connections, 1);
}

static void keys_follow_policy_address_and_protocol(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE, SCRIPT(PLAIN), NULL);
    struct connection_target t = s->target;
    uint8_t a[CONNECTION_KEY], b[CONNECTION_KEY];
    connection_key(&t, a);
    connection_key(&t, b);
    assert_memory_equal(a, b, sizeof a);
    t.lmtp = true;
    connection_key(&t, b);
    assert_memory_not_equal(a, b, sizeof a);
    t.lmtp = false;
    addr_set_port(&t.to, 26);
    connection_key(&t, b);
    assert_memory_not_equal(a, b, sizeof a);
    t.to = s->target.to;
    t.strength_none = TLS_STRENGTH_TLS_1_1;
    connection_key(&t, a);
    t.strength_none = TLS_STRENGTH_TLS_1_0;
    connection_key(&t, b);
    assert_memory_not_equal(a, b, sizeof a);
    struct policy_host other = s->host;
    other.fingerprint[0] ^= 1;
    t.host = &other;
    connection_key(&t, b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void a_cut_drain_ends_the_wait(void **state)
{
    struct scene *s = *state;
    live_cut(&s->live);
    scene_play(s, LEVEL_NONE, SCRIPT("220 hi"), NULL);
    assert_int_equal(s->opening.blame, BLAME_HOST);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        T(nothing_listens),
        T(a_5xx_greeting_blames_the_host),
        T(level_none_takes_helo),
        T(refused_ehlo_is_no_way_around_tls),
        T(starttls_not_offered),
        T(starttls_refused_never_bounces),
        T(level_none_goes_on_in_clear_text),
        T(bytes_behind_220_end_the_session),
        T(a_failed_handshake_defers_once),
        T(then_goes_in_clear_text),
        T(but_never_under_encrypt),
        T(keys_follow_policy_address_and_protocol),
        T(a_cut_drain_ends_the_wait),
    };
    (void)signal(SIGPIPE, SIG_IGN); /* as the daemons do */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
