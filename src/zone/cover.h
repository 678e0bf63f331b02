/* Zones whose MX hosts have TLSA records of their own: what a version of such a zone holds for all of them.
 *
 * Nobody can ask every server for thousands of RRsets in every look. A version is read once, whole, from the
 * primary, and hosts of a key set with the same RRset are one kind. A server that shows the version's serial
 * has that version, so the kinds are its rows for the gate; a server with a serial that was never read is not
 * seen. Hosts whose records never were in a version harm nobody: no cache demands anything of them. Hosts
 * that lost theirs are a kind of their own. Pure. */
#ifndef ZONE_COVER_H
#define ZONE_COVER_H

#include "zone/evidence.h"

enum {
    COVER_VERSIONS = 32, /* kept: servers that lag show older ones */
    COVER_KINDS = 16,    /* of one key set in one version; more hold the gate */
};

/* A host as the database has it. */
struct cover_host {
    struct str label;
    int64_t key_set;
    bool is_wanted; /* it should have TLSA records */
};

/* Hosts of a key set with the same TLSA RRset. */
struct cover_kind {
    int64_t key_set;
    struct str host; /* label of the first one */
    size_t hosts;
    struct gate_record *record; /* sorted */
    size_t n;                   /* 0: records that are gone and should be there */
    int64_t ttl_ms;             /* the largest */
    int64_t expires_ms;         /* earliest end of a signature over them; 0: one is not signed */
};

struct cover_version {
    struct arena arena;
    uint32_t serial;
    struct cover_kind *kind;
    size_t n, room;
    bool is_mixed; /* there are more kinds */
};

/* A host with records in the newest version. */
struct cover_known {
    struct str label;
    size_t kind; /* of the newest version */
};

struct cover {
    struct cover_version *version; /* newest first */
    size_t n;
    struct arena arena;        /* of what is known */
    struct cover_known *known; /* sorted by label */
    size_t nknown;
    struct map had; /* labels of hosts that should have records and had some */
};

void cover_release(struct cover *c);

struct cover_reading {
    struct str zone;
    uint32_t serial;
    int64_t wall_ms;
    const struct cover_host *host; /* all of the zone, whatever their state; sorted by label */
    size_t nhost;
    const struct dns_raw *record; /* TLSA, CNAME, RRSIG of names below _tcp.<host>; sorted by dns_raw_sort */
    size_t n;
};
/* A version that was read. */
void cover_add(struct cover *c, const struct cover_reading *r);
/* NULL: it was not read. */
const struct cover_version *cover_find(const struct cover *c, uint32_t serial);
/* The kind of most hosts that have records. NULL: none has. */
const struct cover_kind *cover_common(const struct cover_version *v, int64_t key_set);

/* NULL: it has no records in the newest version. */
const struct cover_known *cover_host(const struct cover *c, struct str label);
/* Does a server answer for the host what the newest version has? Unknown when it did not answer, was not
 * asked, or shows another version. */
enum cover_word { COVER_UNKNOWN, COVER_AGREES, COVER_DIFFERS };
enum cover_word cover_compare(const struct cover *c, const struct zone_server *s, size_t question,
                              const struct cover_known *host);

/* The gate's rows for the hosts of a key set, for every server that answers and is not left out; names and
 * records are the arena's. */
size_t cover_gate_servers(struct arena *a, const struct cover *c, const struct zone_evidence *e,
                          int64_t key_set, struct gate_server **out);
/* Every server that answers has a version where all hosts have the same records. When not, a sentence for
 * each thing that is wrong is appended to `why`, a line each. */
bool cover_is_level(const struct cover *c, const struct zone_evidence *e, int64_t key_set, struct buf *why);

#endif
