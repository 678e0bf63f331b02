/* The server's side of TLS: one context for all names, the pair chosen by SNI, parsed pairs cached.
 * Thread-safe. */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include "net/stream.h"
#include "tls/info.h"
#include "tls/pair.h"

struct tls_server;

/* Fills `out` for a name (lower case, no trailing dot; empty: the default identity); bytes may live in `a`.
 * False when there is none. Called once or twice per handshake, from any thread. */
typedef bool (*tls_lookup)(void *ctx, struct str sni, struct arena *a, struct tls_identity *out);

struct tls_server_conf {
    tls_lookup lookup; /* for an unknown name the empty one is asked next, then the self-signed one serves */
    void *ctx;
    struct str fallback_name; /* subject of the self-signed pair that serves when there is no other */
    /* Is the client's certificate of interest? It is asked for then, never required, never checked: see info.
     * Called once per handshake; NULL: never. */
    bool (*wants_certificate)(void *ctx);
};

enum err tls_server_new(const struct tls_server_conf *conf, struct tls_server **out,
                        struct buf *why) MUST_CHECK;
void tls_server_free(struct tls_server *t);

/* When what the lookup says has changed, handshakes under way may still show what it said before. A mark
 * tells them apart: those that begin after it ask anew, and once it is past, none that began before is under
 * way. */
uint64_t tls_server_mark(struct tls_server *t);
bool tls_server_is_past(struct tls_server *t, uint64_t mark);

/* The handshake, on a stream with nothing buffered. After OK the stream speaks TLS. After an error
 * (ERR_TIMEOUT, ERR_CLOSED, ERR_REFUSED for octets from before the handshake, ERR_TLS with the library's
 * reason in why) the stream is good for nothing but stream_release, and of `out` only sni and is_refused mean
 * something. */
enum err tls_accept(struct stream *s, struct tls_server *t, deadline until, struct tls_info *out,
                    struct buf *why) MUST_CHECK;

#endif
