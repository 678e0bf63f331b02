/* A connection to a scripted peer, opened. TLS that succeeds is the system tests' business. */
#ifndef TEST_DELIVER_SCENE_H
#define TEST_DELIVER_SCENE_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deliver/dialog.h"
#include "peer.h"

struct scene {
    struct peer peer;
    struct arena arena;
    struct live live;
    struct tls_client *tls;
    struct policy_host host;
    struct connection_target target;
    struct connection c;
    struct outcome opening;
};

static int scene_setup(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    struct buf why = {0};
    live_init(&s->live);
    assert_int_equal(tls_client_new(&(struct tls_client_conf){.ca_file = ""}, &s->tls, &why), OK);
    s->host = (struct policy_host){.name = STR("mx.example"), .base = STR("mx.example")};
    *state = s;
    return 0;
}

static int scene_teardown(void **state)
{
    struct scene *s = *state;
    connection_release(&s->c);
    peer_stop(&s->peer);
    if (s->peer.wrong[0])
        print_error("the peer: %s\n", s->peer.wrong);
    int result = s->peer.wrong[0] ? 1 : 0;
    tls_client_free(s->tls);
    live_release(&s->live);
    arena_release(&s->arena);
    buf_release(&s->peer.heard);
    free(s);
    return result;
}

/* The peer plays on behind the end of a test's own block. */
static const char *const *scene_keep(struct scene *s, const char *const *script)
{
    size_t n = 0;
    while (script && script[n])
        n++;
    const char **copy = ARENA_ARRAY(&s->arena, const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        copy[i] = script[i];
    return script ? copy : NULL;
}

static void scene_play(struct scene *s, enum level level, const char *const *first, const char *const *second)
{
    s->peer.script[0] = scene_keep(s, first);
    s->peer.script[1] = scene_keep(s, second);
    peer_start(&s->peer);
    s->host.level = level;
    s->target.host = &s->host;
    s->target.to = s->peer.at;
    s->target.hello = STR("us.example");
    s->target.connect_timeout = 5000;
    s->target.smtp_timeout = 5000;
    s->target.tls = s->tls;
    s->target.live = &s->live;
    s->opening = connection_open(&s->c, &s->target, &s->arena);
}

#define SCRIPT(...) ((const char *const[]){__VA_ARGS__, NULL})
#define PLAIN "220 hi", "<EHLO us.example", "250 mx"
#define PIPED "220 hi", "<EHLO us.example", "250-mx\n250 PIPELINING"
#define CHUNKED "220 hi", "<EHLO us.example", "250-mx\n250-PIPELINING\n250 CHUNKING"

#endif
