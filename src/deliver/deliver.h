/*
 * deliver: takes messages from the queue and brings them to their next hops: mailbox hosts of accepted
 * domains, or the hosts of remote domains with what policy demands of each. Worker threads over the queue's
 * schedule, never a thread per message; gates per destination keep one dead host from slowing the rest.
 *
 *     queue_claim -> delivery (a message) -> jobs (one per next hop) -> attempt: plan, gate, connection,
 * dialog
 *                 -> outcomes -> trouble: next host, retry, bounce -> evidence -> queue_settle
 *
 * Knows who is to blame and what follows. Refuses to know where DNS answers come from (a dns_source), how
 * domains are stored (directory), what a TLSA match is (dane). What it borrows must outlive it.
 */
#ifndef DELIVER_DELIVER_H
#define DELIVER_DELIVER_H

#include <jansson.h>

#include "conf/conf.h"
#include "directory/directory.h"
#include "dns/resolver.h"
#include "journal/journal.h"
#include "queue/queue.h"
#include "tls/client.h"

struct deliver;

struct deliver_parts {
    const struct conf *conf;
    struct directory *directory;
    struct queue *queue;
    struct queue_writer *bounces; /* producer "deliver" */
    struct journal *journal;      /* may be NULL */
    struct dns_source source;     /* validated answers */
    struct dns_source unchecked;  /* not validated, for mode off: broken signatures must not stop that mail */
    struct tls_client *tls;
    /* Does the resolver validate? Called at start and every resolver_proof_interval. NULL: it is taken for
     * granted (tests). */
    enum err (*prove)(void *ctx, const struct conf *conf, struct buf *why);
    void *prove_ctx;
};

/* Starts the threads. NULL with why. */
struct deliver *deliver_start(const struct deliver_parts *parts, struct buf *why);
/* From now on with this configuration, which must stay valid until deliver_stop. */
void deliver_reload(struct deliver *d, const struct conf *conf);
/* Claims nothing any more, lets attempts in flight end within grace_ms, then cuts their connections; what was
 * not attempted goes back to the queue. Frees. */
void deliver_stop(struct deliver *d, int64_t grace_ms);
/* Ends the rests of all destinations. */
void deliver_wake(struct deliver *d);
/* New reference: workers, gates, the resolver's proof. */
json_t *deliver_status(struct deliver *d);

#endif
