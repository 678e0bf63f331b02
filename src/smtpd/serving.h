/* What this edge serves of the managed key sets, as control may rely on it. Control withdraws TLSA records
 * some time after no edge says any more that it serves their key, so the word must hold for every handshake:
 * what was served before a change is served still as long as a handshake that began before it is under way.
 * Pure but for reading the keystore; one thread uses it. */
#ifndef SMTPD_SERVING_H
#define SMTPD_SERVING_H

#include <jansson.h>

#include "directory/keystore.h"
#include "tls/server.h"

struct serving_pair {
    uint64_t key_set, pair;
    bool is_rsa;
    uint8_t spki_sha256[32];
    bool has_issuer_key;
    uint8_t issuer_spki_sha256[32];
};

struct serving_list {
    struct serving_pair *v;
    size_t n, room;
};

struct serving {
    bool is_known;                   /* the keystore was read at least once */
    uint64_t epoch;                  /* of the newest reading */
    uint64_t mark;                   /* of the server, set after it */
    bool is_settled;                 /* no handshake began before the mark */
    struct serving_list now, before; /* by that reading; what earlier ones had besides, until it is settled */
    bool is_news;                    /* something to tell */
    int64_t told_ms;                 /* clock_mono; 0: never */
};

void serving_release(struct serving *s);
/* The keystore's epoch moved; `now` is what it holds, `mark` was set after it was read. Takes the list over.
 */
void serving_change(struct serving *s, uint64_t epoch, uint64_t mark, struct serving_list *now);
/* No handshake that began before the mark is under way. */
void serving_settle(struct serving *s);
/* Must control be told? At once when there is news, else every 10 s. */
bool serving_is_due(const struct serving *s, int64_t now_ms);
void serving_told(struct serving *s, int64_t now_ms);
/* The request edge.confirm; new reference. */
json_t *serving_request(const struct serving *s, struct str edge);

/* What the managed key sets of the keystore hold, and its epoch. */
enum err serving_read(struct keystore *k, uint64_t *epoch, struct serving_list *out,
                      struct buf *why) MUST_CHECK;
enum err serving_epoch(struct keystore *k, uint64_t *epoch, struct buf *why) MUST_CHECK;

#endif
