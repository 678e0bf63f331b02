/* Whole deliveries: what becomes of each recipient, and when it is due again. */
#include "world.h"

#include "peer.h"

/* The notification that waits to be delivered; NULL: there is none. */
static bool find_notification(void *ctx, struct queue_message *m)
{
    if (m->envelope->sender.n || m->claimed || !m->attempts)
        return true;
    memcpy(ctx, m->id, QUEUE_ID);
    return false;
}

static void each_recipient_has_its_own_time(void **state)
{
    struct world *w = *state;
    char id[QUEUE_ID];
    w->proven = false;
    world_start(w);
    assert_int_equal(spool_commit(w->in, 10, 'c', id, "a@ours.example", "b@null.example"), OK);
    SPOOL_UNTIL(attempts(w, id) == 1);
    struct queue_message *m = look(w, id);
    int64_t first = m->rcpt[0].next_ms, now = clock_wall();
    assert_true(str_equal(m->rcpt[0].reason, STR("connect-failed")));
    assert_true(str_equal(m->rcpt[1].reason, STR("resolver-fault")));
    assert_true(first > now + 14 * 60000 && first <= now + 15 * 60000);
    assert_true(m->next_ms <= now + 1000 + 3000);
    queue_message_free(m);

    w->proven = true; /* the other recipient ends; this one still waits */
    SPOOL_UNTIL(attempts(w, id) == 2);
    m = look(w, id);
    assert_int_equal(m->rcpt[1].status, QUEUE_BOUNCED);
    assert_int_equal(m->rcpt[0].attempts, 1);
    assert_int_equal(m->rcpt[0].next_ms, first);
    assert_int_equal(m->next_ms, first);
    queue_message_free(m);
}

static void unproven_mail_waits_for_the_next_proof(void **state)
{
    struct world *w = *state;
    char id[QUEUE_ID];
    w->proven = false;
    world_start(w);
    assert_int_equal(spool_commit(w->in, 10, 'c', id, "b@remote.example", NULL), OK);
    SPOOL_UNTIL(attempts(w, id) == 1);
    w->later.resolver_proof_interval = 60000;
    deliver_reload(w->deliver, &w->later);
    int64_t wait = 0;
    SPOOL_UNTIL((wait = rest(w, id)) > 10000);
    assert_true(wait <= 63000);
    assert_int_equal(attempts(w, id), 1); /* and nothing was written for it */
}

static void a_notification_keeps_the_tenants_mode(void **state)
{
    struct world *w = *state;
    char id[QUEUE_ID], notification[QUEUE_ID] = "";
    struct envelope_rcpt to = {.address = STR("b@null.example")};
    struct envelope e = {.received_ms = clock_wall(),
                         .tenant = STR("acme"),
                         .sender = STR("s@strict.example"),
                         .rcpt = &to,
                         .nrcpt = 1};
    world_start(w);
    struct queue_draft *draft = queue_draft_new(w->in);
    queue_draft_write(draft, "Subject: x\r\n\r\n", 14);
    assert_int_equal(queue_draft_commit(draft, &e, id, NULL), OK);
    SPOOL_UNTIL((queue_walk(w->queue, find_notification, notification), notification[0]));
    struct queue_message *m = look(w, notification);
    assert_true(str_equal(m->envelope->tenant, STR("acme")));
    assert_true(str_equal(m->rcpt[0].reason, STR("dane-required")));
    queue_message_free(m);
}

static void what_was_not_told_is_told_later(void **state)
{
    struct world *w = *state;
    char id[QUEUE_ID];
    disk_fails = true;
    w->conf.delay_warning = 1;
    world_start(w);
    assert_int_equal(spool_commit(w->in, 10, 'c', id, "a@ours.example", "b@null.example"), OK);
    SPOOL_UNTIL(attempts(w, id) == 1);
    struct queue_message *m = look(w, id);
    assert_int_equal(m->rcpt[0].status, QUEUE_DEFERRED);
    assert_int_equal(m->rcpt[0].warned_ms, 0);
    assert_int_equal(m->rcpt[1].status, QUEUE_DEFERRED);
    assert_int_equal(m->rcpt[1].warned_ms, 0);
    assert_true(m->next_ms <= clock_wall() + 60000);
    queue_message_free(m);

    disk_fails = false;
    assert_int_equal(queue_retry(w->queue, id, NULL), OK);
    SPOOL_UNTIL(attempts(w, id) == 2);
    m = look(w, id);
    assert_true(m->rcpt[0].warned_ms > 0);
    assert_int_equal(m->rcpt[1].status, QUEUE_BOUNCED);
    queue_message_free(m);
}

enum { NOTIFICATIONS = 4 };

struct notifications {
    size_t n;
    char id[NOTIFICATIONS][QUEUE_ID];
};

static bool find_all(void *ctx, struct queue_message *m)
{
    struct notifications *all = ctx;
    if (!m->envelope->sender.n && all->n < NOTIFICATIONS)
        memcpy(all->id[all->n++], m->id, QUEUE_ID);
    return true;
}

/* In the order in which they were written. */
static size_t notifications(struct world *w, struct notifications *all)
{
    all->n = 0;
    queue_walk(w->queue, find_all, all);
    return all->n;
}

/* The text from `from` to the end of its line. */
static struct str line_of(struct world *w, const char *id, const char *from, struct arena *a)
{
    struct queue_message *m = look(w, id);
    char *text = ARENA_ARRAY(a, char, m->content_size + 1);
    assert_int_equal(queue_content_read(m, 0, text, m->content_size, NULL), m->content_size);
    queue_message_free(m);
    const char *at = strstr(text, from);
    assert_non_null(at);
    struct str rest = str_of(at);
    return str_trim(str_cut(&rest, '\n'));
}

/* Regression: a greeting of 554 made the warning say "Action: delayed" and "Status: 5.0.0". */
static void a_delay_is_of_class_4(void **state)
{
    static const char *const refuses[] = {"554 go away", "!", NULL};
    struct world *w = *state;
    struct peer peer = {.script = {refuses}};
    struct notifications all;
    struct arena a = {0};
    char id[QUEUE_ID];
    peer_start(&peer);
    w->conf.smtp_port = addr_port(&peer.at);
    w->conf.delay_warning = 1;
    world_start(w);
    assert_int_equal(spool_commit(w->in, 10, 'c', id, "a@remote.example", NULL), OK);
    SPOOL_UNTIL(notifications(w, &all) == 1);
    assert_true(str_equal(line_of(w, all.id[0], "Action: ", &a), STR("Action: delayed")));
    assert_true(str_equal(line_of(w, all.id[0], "Status: ", &a), STR("Status: 4.3.0")));
    peer_stop(&peer);
    buf_release(&peer.heard);
    arena_release(&a);
}

static void enter_old(struct world *w, const char *to, int64_t hours, char id[QUEUE_ID])
{
    struct envelope_rcpt rcpt = {.address = str_of(to)};
    struct envelope e = {.received_ms = clock_wall() - hours * 3600000,
                         .sender = STR("s@null.example"),
                         .rcpt = &rcpt,
                         .nrcpt = 1};
    struct queue_draft *draft = queue_draft_new(w->in);
    queue_draft_write(draft, "Subject: x\r\n\r\n", 14);
    assert_int_equal(queue_draft_commit(draft, &e, id, NULL), OK);
}

static void again(struct world *w, const char *id, const char *dns)
{
    pthread_mutex_lock(&w->asking);
    w->dns.text = dns;
    pthread_mutex_unlock(&w->asking);
    assert_int_equal(queue_retry(w->queue, id, NULL), OK);
}

#define OLD_HOST                                                                                             \
    "old.example MX insecure 10 mx.old.example\n"                                                            \
    "mx.old.example A insecure 127.0.0.1\nmx.old.example AAAA insecure-nodata\n"

/* Regression: what had waited for a dead host was returned at the first question without an answer. */
static void one_failed_lookup_does_not_end_an_old_message(void **state)
{
    struct world *w = *state;
    char id[QUEUE_ID];
    w->dns.text = OLD_HOST;
    world_start(w);
    enter_old(w, "a@old.example", 30, id);
    SPOOL_UNTIL(attempts(w, id) == 1);
    assert_true(waits_for(w, id, "connect-failed"));
    again(w, id, "old.example MX timeout\n");
    SPOOL_UNTIL(attempts(w, id) == 2);
    assert_true(waits_for(w, id, "dns-timeout"));
    again(w, id, "old.example MX timeout\n");
    SPOOL_UNTIL(status(w, "bounced") == 1); /* a day is over and security it is that fails */
}

/* Regression: the first failed handshake of an old message returned it, where clear text was to come next. */
static void a_failed_handshake_does_not_end_before_clear_text(void **state)
{
    static const char *const broken[] = {"220 hi", "<EHLO", "250-mx\n250 STARTTLS", "<STARTTLS", "220 go",
                                         "!",      NULL};
    static const char *const takes[] = {"220 hi", "<EHLO", "250 mx", "<MAIL", "250 ok",    "<RCPT",
                                        "250 ok", "<DATA", "354 go", "<.",    "250 taken", NULL};
    struct world *w = *state;
    struct peer peer = {.script = {broken, broken, takes}};
    char id[QUEUE_ID];
    peer_start(&peer);
    w->conf.smtp_port = addr_port(&peer.at);
    w->conf.clear_text_wait = 1;
    w->dns.text = "old.example MX timeout\n";
    world_start(w);
    enter_old(w, "a@old.example", 30, id);
    SPOOL_UNTIL(attempts(w, id) == 1);
    again(w, id, OLD_HOST);
    SPOOL_UNTIL(attempts(w, id) == 2);
    assert_true(waits_for(w, id, "handshake-failed"));
    again(w, id, OLD_HOST);
    SPOOL_UNTIL(status(w, "delivered") == 1);
    peer_stop(&peer);
    assert_string_equal(peer.wrong, "");
    buf_release(&peer.heard);
}

/* Regression: all failures of one message were told under one Message-ID. */
static void each_notification_has_its_own_id(void **state)
{
    struct world *w = *state;
    struct notifications all;
    struct arena a = {0};
    char id[QUEUE_ID];
    world_start(w);
    assert_int_equal(spool_commit(w->in, 10, 'c', id, "a@null.example", "b@remote.example"), OK);
    SPOOL_UNTIL(attempts(w, id) == 1);
    again(w, id, "remote.example MX secure 0 .\n");
    SPOOL_UNTIL(notifications(w, &all) == 2);
    struct str one = line_of(w, all.id[0], "Message-ID: ", &a),
               two = line_of(w, all.id[1], "Message-ID: ", &a);
    assert_true(str_starts(str_from(one, 12), STR("<")) && str_ends(one, STR(".dsn@edge.example>")));
    assert_false(str_equal(one, two));
    arena_release(&a);
}

/* A crash may repeat an attempt, and what is told of it again is no other notification. */
static void a_repeated_notification_keeps_its_id(void **state)
{
    struct world *w = *state;
    struct notifications all;
    struct arena a = {0};
    char id[QUEUE_ID], outcomes[128];
    world_start(w);
    assert_int_equal(spool_commit(w->in, 10, 'c', id, "a@null.example", NULL), OK);
    SPOOL_UNTIL(notifications(w, &all) == 1);
    SPOOL_UNTIL(status(w, "bounced") == 1);
    deliver_stop(w->deliver, 5000);
    queue_close(w->queue);
    (void)snprintf(outcomes, sizeof outcomes, "%s/outcome", spool_path);
    spool_remove(outcomes);
    w->queue = spool_queue(NULL);
    world_start(w);
    SPOOL_UNTIL(notifications(w, &all) == 2);
    assert_true(
        str_equal(line_of(w, all.id[0], "Message-ID: ", &a), line_of(w, all.id[1], "Message-ID: ", &a)));
    arena_release(&a);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(each_recipient_has_its_own_time),
        T(unproven_mail_waits_for_the_next_proof),
        T(a_notification_keeps_the_tenants_mode),
        T(what_was_not_told_is_told_later),
        T(a_delay_is_of_class_4),
        T(each_notification_has_its_own_id),
        T(a_repeated_notification_keeps_its_id),
        T(one_failed_lookup_does_not_end_an_old_message),
        T(a_failed_handshake_does_not_end_before_clear_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
