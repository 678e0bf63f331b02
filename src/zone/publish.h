/* Bringing a zone on its primary to what is wanted: reading back what is there (AXFR), sending changes
 * (UPDATE). Knows no product of a server. */
#ifndef ZONE_PUBLISH_H
#define ZONE_PUBLISH_H

#include "dns/authority.h"

/* What the primary has, but for RRSIG, NSEC and NSEC3, which it makes itself. Sorted by dns_raw_compare. */
struct zone_snapshot {
    struct arena arena;
    struct dns_raw *records;
    size_t n, room;
    uint32_t serial;
};

/* The whole zone into out, which must be empty (zero, or released). On an error out is empty. */
enum err zone_read_back(const struct authority *primary, struct str zone, deadline until,
                        struct zone_snapshot *out, struct buf *why) MUST_CHECK;
void zone_snapshot_release(struct zone_snapshot *s);
/* What the snapshot becomes by changes that were sent (removals first, as they are sent): no need to read
 * back. An alias that is added replaces another one. The serial is the caller's. */
void zone_snapshot_apply(struct zone_snapshot *s, const struct dns_change *changes, size_t n);

struct zone_refusal {
    size_t change; /* index of the change */
    struct str why;
};

struct zone_published {
    size_t sent;    /* changes that the primary has made */
    size_t updates; /* messages it took */
    size_t nrefused;
    struct zone_refusal *refused; /* sorted by change */
    bool *is_sent;                /* one for each change */
};

/* Sends the changes. Those of one owner name go in one message (removals first), so that nobody sees a name
 * half changed; a message holds as many names as fit. What no server would take is refused before it is
 * sent; a message that the primary refuses is divided until the bad record is alone, so one bad record holds
 * back no good one. Only what belongs together is refused together: the TLSA and CNAME records of a name, and
 * a removal with the addition to the same name. OK: all was tried, out says what was refused and why. An
 * error: the primary cannot be used (unreachable, key, clock, not its zone); out says how far it came, the
 * rest may be sent again. */
enum err zone_publish(const struct authority *primary, struct str zone, const struct dns_change *changes,
                      size_t n, deadline until, struct arena *a, struct zone_published *out,
                      struct buf *why) MUST_CHECK;

#endif
