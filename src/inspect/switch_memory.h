/* What the switch remembers from one look to the next. Kept in the database as JSON. */
#ifndef INSPECT_SWITCH_MEMORY_H
#define INSPECT_SWITCH_MEMORY_H

#include <jansson.h>

#include "inspect/facts.h"

enum { SWITCH_OLD_MX_MAX = 16 };

struct switch_mx {
    uint16_t preference;
    struct str host;
};

/* Records that caches may still hold. Nobody sees the moment when they go: it is taken to be the first look
 * that does not show them, however long after the last one that did. */
struct switch_wait {
    uint32_t ttl;     /* they were there at the last look, with this TTL; 0: they were not */
    int64_t until_ms; /* caches may hold some that went before */
};

/* Strings are the caller's arena's. */
struct switch_memory {
    int64_t started_ms; /* 0: never looked */
    bool is_undoing;
    /* As they were at the start; when it is undone and none were, those of who takes over. */
    struct switch_mx old[SWITCH_OLD_MX_MAX];
    size_t old_count;
    uint32_t old_ttl;
    bool is_tested;   /* the new host took mail for the domain while an MX record named it */
    bool had_enforce; /* an enforced MTA-STS policy was there */
    /* The last MTA-STS policy that kept senders from the new host: it was enforced, or did not list it.
     * Senders hold on to it until they see another id. */
    struct str sts_id;
    bool sts_lacked;   /* it did not list the host */
    bool sts_bars_old; /* it was enforced, and did not list an old one */
    struct switch_wait ttl_high, old_mx, new_mx;
    struct switch_wait sts;     /* that id, in caches */
    struct switch_wait sts_age; /* that policy, at senders, when the record is gone: its max_age */
};

/* Takes what a look at the world adds. low: the highest TTL of MX records that counts as low. */
void switch_remember(struct switch_memory *m, const struct facts *f, uint32_t low);

/* The caller owns the result. */
json_t *switch_memory_json(const struct switch_memory *m);
void switch_memory_read(const json_t *j, struct arena *a, struct switch_memory *out);

#endif
