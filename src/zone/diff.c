#include "zone/diff.h"

/* Records of one owner. */
struct slice {
    const struct dns_raw *r;
    size_t n;
};

static struct slice take_owner(const struct zone_records *from, size_t *at, struct str owner)
{
    struct slice s = {.r = from->r + *at};
    while (*at < from->n && str_equal(from->r[*at].owner, owner)) {
        s.n++;
        ++*at;
    }
    return s;
}

static bool is_ours(enum zone_owner kind, uint16_t type)
{
    switch (kind) {
    case ZONE_HOST:
        return type == DNS_A || type == DNS_AAAA;
    case ZONE_HOST_TLSA:
        return type == DNS_CNAME || type == DNS_TLSA;
    case ZONE_GROUP:
        return type == DNS_TLSA;
    case ZONE_OTHER:
        break;
    }
    return false;
}

static bool is_servers_own(const struct zone_spec *s, const struct dns_raw *r)
{
    switch (r->type) {
    case DNS_SOA:
    case DNS_DNSKEY:
    case DNS_TYPE_RRSIG:
    case DNS_TYPE_NSEC:
    case DNS_TYPE_NSEC3:
    case DNS_TYPE_NSEC3PARAM:
    case DNS_TYPE_CDS:
    case DNS_TYPE_CDNSKEY:
        return true;
    default:
        /* Servers keep notes of signing in types for private use. */
        return str_equal(r->owner, s->name) && (r->type == DNS_NS || r->type >= 65280);
    }
}

/* The record with the same type and data, or NULL. */
static const struct dns_raw *find(struct slice in, const struct dns_raw *r)
{
    for (const struct dns_raw *one = in.r, *end = in.r + in.n; one < end; one++)
        if (one->type == r->type && str_equal(one->rdata, r->rdata))
            return one;
    return NULL;
}

static void change(struct zone_diff *out, enum dns_change_op op, const struct dns_raw *r)
{
    out->change[out->n++] = (struct dns_change){.op = op, .record = *r};
    *(op == DNS_ADD ? &out->adds : &out->removes) += 1;
}

static void add_missing(struct zone_diff *out, struct slice desired, struct slice actual)
{
    for (size_t i = 0; i < desired.n; i++) {
        const struct dns_raw *there = find(actual, &desired.r[i]);
        if (!there || there->ttl != desired.r[i].ttl)
            change(out, DNS_ADD, &desired.r[i]);
    }
}

static void remove_surplus(struct zone_diff *out, enum zone_owner kind, struct slice desired,
                           struct slice actual)
{
    for (size_t i = 0; i < actual.n; i++) {
        const struct dns_raw *wanted = find(desired, &actual.r[i]);
        if (is_ours(kind, actual.r[i].type) && (!wanted || wanted->ttl != actual.r[i].ttl))
            change(out, DNS_REMOVE, &actual.r[i]);
    }
}

/* Where a TTL changes, or a CNAME comes or goes, the old records must be gone before the new ones come. */
static bool removes_come_first(struct slice desired, struct slice actual)
{
    for (size_t i = 0; i < desired.n; i++)
        if (desired.r[i].type == DNS_CNAME)
            return true;
    for (size_t i = 0; i < actual.n; i++) {
        const struct dns_raw *wanted = find(desired, &actual.r[i]);
        if (actual.r[i].type == DNS_CNAME || (wanted && wanted->ttl != actual.r[i].ttl))
            return true;
    }
    return false;
}

/* The group whose TLSA records stand at this owner, or SIZE_MAX. */
static size_t group_of(const struct zone_spec *s, enum zone_owner kind, size_t at)
{
    size_t group = SIZE_MAX;
    if (kind == ZONE_GROUP)
        group = at;
    else if (kind == ZONE_HOST_TLSA && s->hosts[at].dane && !s->hosts[at].is_gone)
        group = s->hosts[at].group;
    return group < s->group_n ? group : SIZE_MAX;
}

/* Does the gate hold the TLSA records of this owner? */
static bool only_adds(const struct zone_spec *s, enum zone_owner kind, size_t at)
{
    size_t group = kind == ZONE_HOST_TLSA && !s->tlsa_per_host ? SIZE_MAX : group_of(s, kind, at);
    return group != SIZE_MAX && s->groups[group].additions_only;
}

/* Would that start an RRset that the gate does not want started, or refer to one? */
static bool starts_too_early(const struct zone_spec *s, enum zone_owner kind, size_t at, struct slice actual,
                             const bool *started)
{
    size_t group = group_of(s, kind, at);
    if (group == SIZE_MAX || !s->groups[group].no_start || actual.n > 0)
        return false;
    return kind == ZONE_GROUP || s->tlsa_per_host || !started[group];
}

/* Under additions_only what is there stays as it is, with its TTL. */
static void add_new(struct zone_diff *out, struct slice desired, struct slice actual)
{
    for (size_t i = 0; i < desired.n; i++)
        if (!find(actual, &desired.r[i]))
            change(out, DNS_ADD, &desired.r[i]);
}

static void compare_owner(const struct zone_spec *s, enum zone_owner kind, size_t at, struct slice desired,
                          struct slice actual, struct zone_diff *out)
{
    if (only_adds(s, kind, at)) {
        add_new(out, desired, actual);
    } else if (removes_come_first(desired, actual)) {
        remove_surplus(out, kind, desired, actual);
        add_missing(out, desired, actual);
    } else {
        add_missing(out, desired, actual);
        remove_surplus(out, kind, desired, actual);
    }
}

/* Keeps foreign records; true when one of them is a CNAME, beside which nothing can stand. */
static bool keep_foreign(const struct zone_spec *s, enum zone_owner kind, struct slice actual,
                         struct zone_diff *out)
{
    bool cname = false;
    for (size_t i = 0; i < actual.n; i++) {
        const struct dns_raw *r = &actual.r[i];
        if (is_ours(kind, r->type) || is_servers_own(s, r))
            continue;
        out->foreign[out->foreign_n++] = *r;
        cname |= r->type == DNS_CNAME;
    }
    return cname;
}

/* Groups that stay or come are first, groups that go are last. */
enum pass { PASS_GROUPS, PASS_HOSTS, PASS_OLD_GROUPS, PASSES };

static enum pass pass_of(enum zone_owner kind, struct slice desired)
{
    return kind != ZONE_GROUP ? PASS_HOSTS : desired.n ? PASS_GROUPS : PASS_OLD_GROUPS;
}

static void run_pass(enum pass pass, const struct zone_spec *s, const struct zone_records *desired,
                     const struct zone_records *actual, const bool *started, struct zone_diff *out)
{
    size_t d = 0, x = 0;
    while (d < desired->n || x < actual->n) {
        bool desired_first =
            x == actual->n || (d < desired->n && str_compare(desired->r[d].owner, actual->r[x].owner) < 0);
        struct str owner = desired_first ? desired->r[d].owner : actual->r[x].owner;
        struct slice want = take_owner(desired, &d, owner), have = take_owner(actual, &x, owner);
        size_t at = SIZE_MAX;
        enum zone_owner kind = zone_owner_of(s, owner, &at);
        if (pass_of(kind, want) != pass)
            continue;
        bool blocked = keep_foreign(s, kind, have, out);
        if (kind == ZONE_OTHER || starts_too_early(s, kind, at, have, started))
            continue;
        if (!blocked)
            compare_owner(s, kind, at, want, have, out);
        for (size_t i = 0; blocked && i < want.n; i++)
            out->blocked[out->blocked_n++] = want.r[i];
    }
}

/* For each group: does the zone have its RRset? */
static bool *find_started(struct arena *a, const struct zone_spec *s, const struct zone_records *actual)
{
    bool *started = ARENA_ARRAY(a, bool, s->group_n);
    for (size_t i = 0; i < actual->n; i++) {
        size_t at;
        if (actual->r[i].type == DNS_TLSA && zone_owner_of(s, actual->r[i].owner, &at) == ZONE_GROUP)
            started[at] = true;
    }
    return started;
}

void zone_diff(struct arena *a, const struct zone_spec *s, const struct zone_records *desired,
               const struct zone_records *actual, struct zone_diff *out)
{
    *out = (struct zone_diff){.change = ARENA_ARRAY(a, struct dns_change, desired->n + actual->n),
                              .foreign = ARENA_ARRAY(a, struct dns_raw, actual->n),
                              .blocked = ARENA_ARRAY(a, struct dns_raw, desired->n)};
    const bool *started = find_started(a, s, actual);
    for (enum pass pass = PASS_GROUPS; pass < PASSES; pass++)
        run_pass(pass, s, desired, actual, started, out);
}

size_t zone_diff_batch(const struct dns_change *change, size_t n, size_t most)
{
    size_t whole = 0; /* changes of owners that are in */
    for (size_t i = 1; i <= n; i++) {
        bool ends = i == n || !str_equal(change[i].record.owner, change[i - 1].record.owner);
        if (!ends)
            continue;
        if (i > most)
            return whole ? whole : i;
        whole = i;
    }
    return whole;
}
