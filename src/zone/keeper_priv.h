/* What the parts of the keeper share. */
#ifndef ZONE_KEEPER_PRIV_H
#define ZONE_KEEPER_PRIV_H

#include "zone/delegation.h"
#include "zone/diff.h"
#include "zone/keep_ask.h"
#include "zone/keep_linger.h"
#include "zone/keep_pace.h"
#include "zone/keeper.h"
#include "zone/load.h"
#include "zone/publish.h"

enum { ZONE_LIST_MAX = 100 /* records listed for people */ };

/* What people are told of a zone's publishing. */
struct keep_report {
    int64_t read_ms;      /* wall clock: when the zone was last read back; 0: never */
    int64_t published_ms; /* when something was last sent */
    size_t backlog;       /* changes that are not made yet */
    uint32_t serial;      /* of the primary; meaningful when read_ms is set */
    bool failed;
    char why[256];   /* what failed last; empty */
    json_t *refused; /* [{"record", "why"}], [record], [record]; NULL: none */
    json_t *foreign, *blocked;
    size_t foreign_n;
};

/* One zone. It lives as long as the keeper. Guarded by the keeper's lock, but for what begins with `actual`,
 * which belongs to the job while is_busy. */
struct keep_zone {
    struct keeper *keeper;
    char *name;
    bool is_there;       /* in the database */
    bool is_busy;        /* a job has it */
    struct addr primary; /* as last read from the database */
    bool is_due;         /* look at it */
    bool has_news;       /* the database has something else than the last job read */
    bool must_read;      /* the primary may have changed otherwise: read it back */
    int64_t missed_ms;   /* clock_mono: when that was last because the gate misses a record; 0: never */
    uint64_t stamp;      /* of what the primary has without a rest; 0: none */
    struct keep_pace pace;
    uint64_t rounds; /* jobs that ended */
    struct keep_lingers lingers;
    int64_t lingers_ms; /* clock_mono: a group that lingers may go then; DEADLINE_NEVER: none does */
    struct keep_report report;
    struct zone_evidence evidence; /* of the last look; n == 0 without one */
    bool has_evidence;
    json_t *hosts; /* what the last look found of hosts with TLSA records of their own; NULL: none */
    struct keep_versions versions;     /* the watcher's alone */
    struct zone_delegation delegation; /* of the same look; memory is the evidence's */
    struct arena wanted_arena;
    struct str *wanted_ds; /* CDS, as last read back */
    size_t wanted_ds_n;

    struct zone_snapshot actual;
    bool has_actual;
    uint64_t source; /* keep_spec_source: where it was read */
    uint64_t wanted; /* hash of the spec that was brought out without a rest; 0: none */
};

struct keeper {
    struct keeper_conf conf;
    struct tenant_store *store;
    struct crew *crew;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* anything below, or a zone */
    bool stop, is_running;
    uint64_t news,
        compared;   /* how often something may have changed; of those, how many the publisher has seen */
    bool look;      /* the watcher looks at once */
    uint64_t looks; /* that ended */
    pthread_t publisher, watcher;
    struct keep_zone **zones;
    size_t zone_n;
    size_t turn;        /* the zone that is looked at first when jobs are started: all come in turn */
    uint64_t published; /* hash of what the gate publishes */
    struct map served;  /* key set -> pairs that the keystore was told of; the watcher's alone */
    struct keep_absences absent; /* the watcher's alone */
};

/* A zone with all that its spec borrows. */
struct keep_spec {
    struct arena arena;
    struct zone_row row;
    struct zone_spec spec;
    bool *noted;    /* one for each group of the spec: its pair is in the database (keep_pair.h) */
    uint64_t stamp; /* another one: something may have changed */
};
/* ERR_NOT_FOUND when the zone is not in the database, ERR_REFUSED while the gate has not looked yet. Released
 * by the caller, also after an error. */
enum err keep_spec_load(struct keeper *k, const char *zone, struct keep_spec *out,
                        struct buf *why) MUST_CHECK;
void keep_spec_release(struct keep_spec *s);
/* The pair of a group in the zone. */
struct keep_pair keep_spec_pair(const struct keep_spec *s, size_t group);
/* Changes with the primary and the key that it is asked with. */
uint64_t keep_spec_source(const struct keep_spec *s);
/* Changes with everything that could change the zone. */
uint64_t keep_spec_hash(const struct keep_spec *s);

/* All zones, and the stamps that their specs would have: no host is read for them. */
struct keep_stamps {
    struct arena arena; /* released by the caller, also after an error */
    struct zone_row *rows;
    uint64_t *stamps; /* 0 while the gate has not looked yet */
    size_t n;
};
enum err keep_stamps_load(struct keeper *k, struct keep_stamps *out, struct buf *why) MUST_CHECK;

/* The zone's entry, made when missing. With the lock held. */
struct keep_zone *keep_zone_get(struct keeper *k, struct str name);

/* A job of the crew: one zone to what is wanted. */
void keep_publish(void *zone);
/* One look at all zones and edges, and the gate's step. Returns when the next one should be (clock_mono). */
int64_t keep_look(struct keeper *k);

/* What a look needs for one zone: the pairs are borrowed, the versions the caller's. */
struct keep_ask keep_ask_of(const struct keeper *k, const struct zone_row *row, const struct keep_pair *pairs,
                            size_t n, struct keep_versions *versions);
/* What the last look found out about the zone's DS records, after zone_observe; memory is the evidence's. */
void keep_delegation(struct keeper *k, struct str zone, struct zone_evidence *evidence,
                     struct zone_delegation *out);
/* Since when records are missing is kept in the database, over restarts. */
enum err keep_delegation_note(struct call *c, int64_t zone_id, struct zone_delegation *d) MUST_CHECK;
/* With the lock held: what the zone wants, from what was read back. */
void keep_wanted_ds(struct keep_zone *z);

#endif
