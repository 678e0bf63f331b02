/* The hands: two threads that keep the MX zones as the database wants them and move keys through the gate.
 *
 * One publishes: what differs from the primary goes out, at most once a second a zone, refused records with
 * backoff, every zone in a job of its own, so that a primary that hangs holds up nobody else. The other
 * looks: it asks all authoritative servers, hands what they and the edges say to the gate, keeps what the
 * gate decides, and lets the publisher and the keystore follow. Neither holds the database while it waits.
 * There may be one keeper for a database. */
#ifndef ZONE_KEEPER_H
#define ZONE_KEEPER_H

#include "dns/answer.h"
#include "keys/board.h"
#include "tenant/tenant.h"
#include "zone/evidence.h"

struct keeper_conf {
    const struct dns_source *resolver; /* validating; borrowed */
    struct board *board;               /* borrowed */
    int64_t interval_ms;               /* between two looks */
    int64_t timeout_ms;                /* of one server */
    enum zone_family unreachable;
};

struct keeper;
/* It is the context of the verbs below, which answer that it does not run until it is started. */
struct keeper *keeper_new(const struct keeper_conf *conf);
enum err keeper_start(struct keeper *k, struct tenant_store *store, struct buf *why) MUST_CHECK;
/* Something in the database may have changed. Returns at once. */
void keeper_wake(void *keeper);
/* Ends the threads, and what waits in verbs; after this no verb may begin. */
void keeper_stop(struct keeper *k);
void keeper_free(struct keeper *k); /* accepts NULL */

/* zone.status, zone.diff, zone.publish, zone.verify */
extern const struct tenant_verb zone_verbs[];
extern const size_t zone_verb_count;

#endif
