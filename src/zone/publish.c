#include "zone/publish.h"

#include <stdlib.h>

#include "base/die.h"

/* ---- reading back */

struct reading {
    struct zone_snapshot *out;
    struct str owner; /* of the record before: kept once for all of its records */
};

static bool is_made_by_signing(uint16_t type)
{
    return type == DNS_TYPE_RRSIG || type == DNS_TYPE_NSEC || type == DNS_TYPE_NSEC3;
}

static void add_record(struct zone_snapshot *s, struct dns_raw record)
{
    if (s->n == s->room) {
        s->room = s->room ? 2 * s->room : 256;
        s->records = must_alloc(reallocarray(s->records, s->room, sizeof *s->records));
    }
    s->records[s->n++] = record;
}

static void read_record(void *ctx, const struct dns_raw *record)
{
    struct reading *reading = ctx;
    struct zone_snapshot *s = reading->out;
    struct dns_record soa;
    if (record->type == DNS_SOA && dns_raw_record(&s->arena, record, &soa))
        s->serial = soa.soa.serial;
    if (is_made_by_signing(record->type))
        return;
    if (!str_equal(reading->owner, record->owner))
        reading->owner = arena_str(&s->arena, record->owner);
    struct dns_raw kept = *record;
    kept.owner = reading->owner;
    kept.rdata = arena_str(&s->arena, record->rdata);
    add_record(s, kept);
}

enum err zone_read_back(const struct authority *primary, struct str zone, deadline until,
                        struct zone_snapshot *out, struct buf *why)
{
    *out = (struct zone_snapshot){0};
    struct reading reading = {.out = out};
    enum err e = authority_transfer(primary, zone, until, read_record, &reading, why);
    if (e == OK)
        dns_raw_sort(out->records, out->n);
    else
        zone_snapshot_release(out);
    return e;
}

void zone_snapshot_release(struct zone_snapshot *s)
{
    free(s->records);
    arena_release(&s->arena);
    *s = (struct zone_snapshot){0};
}

static int compare_records(const void *a, const void *b)
{
    return dns_raw_compare(a, b);
}

static struct dns_raw *find_record(const struct zone_snapshot *s, size_t n, const struct dns_raw *record)
{
    return n ? bsearch(record, s->records, n, sizeof *record, compare_records) : NULL;
}

static int compare_sets(const void *a, const void *b)
{
    const struct dns_raw *x = a, *y = b;
    int order = str_compare(x->owner, y->owner);
    return order ? order : (x->type > y->type) - (x->type < y->type);
}

/* The alias that an added one replaces (RFC 2136 3.4.2.2), or NULL. */
static struct dns_raw *replaced(const struct zone_snapshot *s, const struct dns_raw *added)
{
    struct dns_raw *old = NULL;
    if (added->type == DNS_CNAME && s->n)
        old = bsearch(added, s->records, s->n, sizeof *added, compare_sets);
    return old && !str_equal(old->rdata, added->rdata) ? old : NULL;
}

static void drop_records(struct zone_snapshot *s, const bool *dropped)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++)
        if (!dropped[i])
            s->records[kept++] = s->records[i];
    s->n = kept;
}

void zone_snapshot_apply(struct zone_snapshot *s, const struct dns_change *changes, size_t n)
{
    bool *dropped = must_alloc(calloc(s->n + 1, sizeof *dropped));
    for (size_t i = 0; i < n; i++) {
        struct dns_raw *old = changes[i].op == DNS_REMOVE ? find_record(s, s->n, &changes[i].record)
                                                          : replaced(s, &changes[i].record);
        if (old)
            dropped[old - s->records] = true;
    }
    drop_records(s, dropped);
    free(dropped);
    size_t sorted = s->n;
    for (size_t i = 0; i < n; i++) {
        struct dns_raw record = changes[i].record;
        struct dns_raw *old = find_record(s, sorted, &record);
        if (changes[i].op == DNS_ADD && old) {
            old->ttl = record.ttl;
        } else if (changes[i].op == DNS_ADD) {
            record.owner = arena_str(&s->arena, record.owner);
            record.rdata = arena_str(&s->arena, record.rdata);
            add_record(s, record);
        }
    }
    dns_raw_sort(s->records, s->n);
}

/* ---- sending */

enum {
    /* So many refused one by one, and nothing taken: the primary would refuse the rest, too. */
    HOPELESS = 16,
};

/* One call of zone_publish. */
struct sending {
    const struct authority *primary;
    struct str zone;
    const struct dns_change *changes; /* the caller's */
    size_t *order;                    /* indices of those to send, by owner, removals first */
    size_t n;
    deadline until;
    struct arena *a;
    struct zone_published *out;
    struct buf *why;
    unsigned alone; /* how often something was refused that is not divided, before a message was taken */
};

static void add_refusal(struct sending *s, size_t change, struct str why)
{
    s->out->refused[s->out->nrefused++] =
        (struct zone_refusal){.change = change, .why = arena_str(s->a, why)};
}

static int compare_changes(const void *a, const void *b, void *ctx)
{
    const struct dns_change *changes = ctx;
    const struct dns_change *x = &changes[*(const size_t *)a], *y = &changes[*(const size_t *)b];
    int order = str_compare(x->record.owner, y->record.owner);
    if (order == 0)
        order = (x->op == DNS_ADD) - (y->op == DNS_ADD);
    if (order == 0)
        order = *(const size_t *)a < *(const size_t *)b ? -1 : 1;
    return order;
}

static void choose(struct sending *s, size_t n)
{
    struct buf why = {0};
    for (size_t i = 0; i < n; i++) {
        if (dns_change_check(&s->changes[i], s->zone, &why) == OK)
            s->order[s->n++] = i;
        else
            add_refusal(s, i, buf_str(&why));
    }
    buf_release(&why);
    if (s->n)
        qsort_r(s->order, s->n, sizeof *s->order, compare_changes, (void *)(uintptr_t)s->changes);
}

static struct str owner_at(const struct sending *s, size_t i)
{
    return s->changes[s->order[i]].record.owner;
}

/* The end of the records that begin at `first` and have its owner name. */
static size_t owner_end(const struct sending *s, size_t first, size_t end)
{
    size_t i = first + 1;
    while (i < end && str_equal(owner_at(s, i), owner_at(s, first)))
        i++;
    return i;
}

/* What fits into one message: whole names, unless the first one alone is too much. */
static size_t message_end(const struct sending *s, size_t first, size_t end)
{
    size_t octets = DNS_HEADER_SIZE + s->zone.n + 2 + 4, last_whole = first, i = first;
    for (; i < end; i++) {
        const struct dns_raw *r = &s->changes[s->order[i]].record;
        if (i > first && !str_equal(r->owner, owner_at(s, i - 1)))
            last_whole = i;
        octets += r->owner.n + 2 + 10 + r->rdata.n;
        if (octets > DNS_UPDATE_MAX)
            break;
    }
    return i == end || last_whole == first ? i : last_whole;
}

static enum err send_message(struct sending *s, size_t first, size_t end, struct authority_update *said)
{
    ENSURE(first < end);
    struct dns_change *message = must_alloc(calloc(end - first, sizeof *message));
    for (size_t i = first; i < end; i++)
        message[i - first] = s->changes[s->order[i]];
    enum err e = authority_update(s->primary, s->zone, message, end - first, s->until, said, s->why);
    ENSURE(e != OK || said->taken == end - first);
    free(message);
    if (e == OK) {
        for (size_t i = first; i < end; i++)
            s->out->is_sent[s->order[i]] = true;
        s->out->sent += end - first;
        s->out->updates++;
    }
    return e;
}

/* Refused because of what was in it, not because of who asked. */
static bool is_about_records(const struct sending *s, const struct authority_update *said)
{
    if (said->tsig != TSIG_ERROR_NONE && said->tsig != TSIG_ERROR_UNSIGNED)
        return false;
    switch (said->rcode) {
    case DNS_RCODE_REFUSED: /* a policy may allow other names or types; unsigned it is about us */
        if (said->tsig == TSIG_ERROR_UNSIGNED)
            return false;
        break;
    case DNS_RCODE_FORMERR:
    case DNS_RCODE_SERVFAIL:
    case DNS_RCODE_NOTZONE:
        break;
    default:
        return false;
    }
    return s->out->sent > 0 || s->alone < HOPELESS;
}

/* Changes of one name that are made together or not at all: half a TLSA RRset may match nothing that edges
 * serve, and a removal without its addition leaves nothing. */
static bool belong_together(const struct sending *s, size_t first, size_t end)
{
    bool adds = false, removes = false;
    for (size_t i = first; i < end; i++) {
        const struct dns_change *c = &s->changes[s->order[i]];
        if (c->record.type == DNS_TLSA || c->record.type == DNS_CNAME)
            return true;
        *(c->op == DNS_ADD ? &adds : &removes) = true;
    }
    return adds && removes;
}

/* The middle between names, or between the records of the only name; `end` when it is not to be divided. */
static size_t divide(const struct sending *s, size_t first, size_t end)
{
    size_t middle = first + (end - first) / 2, below = first;
    if (owner_end(s, first, end) == end)
        return middle == first || belong_together(s, first, end) ? end : middle;
    for (size_t i = first; i <= middle; i = owner_end(s, i, end))
        below = i;
    return below > first ? below : owner_end(s, first, end);
}

/* Sends records [first, end), which fit one message. Depth is the logarithm of their number. */
static enum err send_records(struct sending *s, size_t first, size_t end)
{
    struct authority_update said;
    enum err e = send_message(s, first, end, &said);
    if (e != ERR_REFUSED || !is_about_records(s, &said))
        return e;
    size_t middle = divide(s, first, end);
    if (middle == end) {
        s->alone++;
        for (size_t i = first; i < end; i++)
            add_refusal(s, s->order[i], buf_str(s->why));
        return OK;
    }
    e = send_records(s, first, middle);
    return e == OK ? send_records(s, middle, end) : e;
}

static int compare_refusals(const void *a, const void *b)
{
    const struct zone_refusal *x = a, *y = b;
    return (x->change > y->change) - (x->change < y->change);
}

enum err zone_publish(const struct authority *primary, struct str zone, const struct dns_change *changes,
                      size_t n, deadline until, struct arena *a, struct zone_published *out, struct buf *why)
{
    struct buf text = {0};
    struct sending s = {.primary = primary,
                        .zone = zone,
                        .changes = changes,
                        .order = ARENA_ARRAY(a, size_t, n + 1),
                        .until = until,
                        .a = a,
                        .out = out,
                        .why = why ? why : &text};
    *out = (struct zone_published){.refused = ARENA_ARRAY(a, struct zone_refusal, n + 1),
                                   .is_sent = ARENA_ARRAY(a, bool, n + 1)};
    choose(&s, n);
    enum err e = OK;
    for (size_t first = 0, end; first < s.n && e == OK; first = end) {
        end = message_end(&s, first, s.n);
        e = send_records(&s, first, end);
    }
    if (out->nrefused)
        qsort(out->refused, out->nrefused, sizeof *out->refused, compare_refusals);
    buf_release(&text);
    return e;
}
