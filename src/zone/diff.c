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

static bool has_ours(enum zone_owner kind, struct slice actual)
{
    for (size_t i = 0; i < actual.n; i++)
        if (is_ours(kind, actual.r[i].type))
            return true;
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

static bool has_cname(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.r[i].type == DNS_CNAME)
            return true;
    return false;
}

/* Where a TTL changes, or a CNAME comes or goes, the old records must be gone before the new ones come. */
static bool removes_come_first(struct slice desired, struct slice actual)
{
    if (has_cname(desired))
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
    size_t group = group_of(s, kind, at);
    return group != SIZE_MAX && s->groups[group].additions_only;
}

/* Would that start an RRset that the gate does not want started, or refer to one? */
static bool starts_too_early(const struct zone_spec *s, enum zone_owner kind, size_t at, struct slice actual,
                             const bool *started)
{
    size_t group = group_of(s, kind, at);
    if (group == SIZE_MAX || !s->groups[group].no_start || has_ours(kind, actual))
        return false;
    return kind == ZONE_GROUP || s->tlsa_per_host || !started[group];
}

/* Would an alias become records, records an alias, or an alias another one? */
static bool turns(const struct zone_spec *s, struct slice desired, struct slice actual)
{
    for (size_t i = 0; i < actual.n; i++) {
        const struct dns_raw *r = &actual.r[i];
        if (r->type == DNS_TLSA ? !s->tlsa_per_host : r->type == DNS_CNAME && !find(desired, r))
            return true;
    }
    return false;
}

/* In doubt nothing moves: what senders are told at a host stays in the form that it has. */
static bool turns_in_doubt(const struct zone_spec *s, enum zone_owner kind, size_t at, struct slice desired,
                           struct slice actual)
{
    if (kind != ZONE_HOST_TLSA || !zone_host_has_dane(s, &s->hosts[at]))
        return false;
    const struct zone_group *g = &s->groups[s->hosts[at].group];
    return (g->additions_only || g->no_start) && turns(s, desired, actual);
}

/* Under additions_only what is there stays as it is, with its TTL. */
static void add_new(struct zone_diff *out, struct slice desired, struct slice actual)
{
    for (size_t i = 0; i < desired.n; i++)
        if (!find(actual, &desired.r[i]))
            change(out, DNS_ADD, &desired.r[i]);
}

/* An alias replaces another (RFC 2136 3.4.2.2). Knot sees the signature of the one that goes in the same
 * message and adds none, with NOERROR. */
static bool replaces_alias(struct slice desired, struct slice actual)
{
    return has_cname(desired) && has_cname(actual);
}

static void compare_owner(const struct zone_spec *s, enum zone_owner kind, size_t at, struct slice desired,
                          struct slice actual, struct zone_diff *out)
{
    if (only_adds(s, kind, at)) {
        add_new(out, desired, actual);
    } else if (replaces_alias(desired, actual)) {
        add_missing(out, desired, actual);
    } else if (removes_come_first(desired, actual)) {
        remove_surplus(out, kind, desired, actual);
        add_missing(out, desired, actual);
    } else {
        add_missing(out, desired, actual);
        remove_surplus(out, kind, desired, actual);
    }
}

/* Keeps foreign records; true when they are in the way: nothing can stand beside a CNAME. A server says
 * NOERROR and adds nothing (RFC 2136 3.4.2.2). */
static bool keep_foreign(const struct zone_spec *s, enum zone_owner kind, struct slice desired,
                         struct slice actual, struct zone_diff *out)
{
    bool alias = has_cname(desired), blocked = false;
    for (size_t i = 0; i < actual.n; i++) {
        const struct dns_raw *r = &actual.r[i];
        if (is_ours(kind, r->type) || is_servers_own(s, r))
            continue;
        out->foreign[out->foreign_n++] = *r;
        blocked |= alias || r->type == DNS_CNAME;
    }
    return blocked;
}

/* Groups that stay or come are first, groups that go are last. */
enum pass { PASS_GROUPS, PASS_HOSTS, PASS_OLD_GROUPS, PASSES };

static enum pass pass_of(enum zone_owner kind, struct slice desired)
{
    return kind != ZONE_GROUP ? PASS_HOSTS : desired.n ? PASS_GROUPS : PASS_OLD_GROUPS;
}

/* What is known of groups, one for each. */
struct marks {
    struct arena *a;
    bool *started; /* the zone has its RRset */
    bool *kept;    /* an alias to it stays */
};

static size_t target_of(struct arena *a, const struct zone_spec *s, const struct dns_raw *alias)
{
    struct dns_record r;
    size_t at;
    return dns_raw_record(a, alias, &r) && zone_owner_of(s, r.name, &at) == ZONE_GROUP ? at : SIZE_MAX;
}

static void keep_targets(const struct zone_spec *s, struct slice actual, struct marks *m)
{
    for (size_t i = 0; i < actual.n; i++) {
        size_t group = actual.r[i].type == DNS_CNAME ? target_of(m->a, s, &actual.r[i]) : SIZE_MAX;
        if (group != SIZE_MAX)
            m->kept[group] = true;
    }
}

static void pass_owner(const struct zone_spec *s, enum zone_owner kind, size_t at, struct slice want,
                       struct slice have, struct marks *m, struct zone_diff *out)
{
    bool blocked = keep_foreign(s, kind, want, have, out);
    if (kind == ZONE_OTHER || starts_too_early(s, kind, at, have, m->started) ||
        (kind == ZONE_GROUP && want.n == 0 && m->kept[at]))
        return;
    if (turns_in_doubt(s, kind, at, want, have)) {
        keep_targets(s, have, m);
    } else if (blocked) {
        for (size_t i = 0; i < want.n; i++)
            out->blocked[out->blocked_n++] = want.r[i];
    } else {
        compare_owner(s, kind, at, want, have, out);
    }
}

static void run_pass(enum pass pass, const struct zone_spec *s, const struct zone_records *desired,
                     const struct zone_records *actual, struct marks *m, struct zone_diff *out)
{
    size_t d = 0, x = 0;
    while (d < desired->n || x < actual->n) {
        bool desired_first =
            x == actual->n || (d < desired->n && str_compare(desired->r[d].owner, actual->r[x].owner) < 0);
        struct str owner = desired_first ? desired->r[d].owner : actual->r[x].owner;
        struct slice want = take_owner(desired, &d, owner), have = take_owner(actual, &x, owner);
        size_t at = SIZE_MAX;
        enum zone_owner kind = zone_owner_of(s, owner, &at);
        if (pass_of(kind, want) == pass)
            pass_owner(s, kind, at, want, have, m, out);
    }
}

static void find_started(const struct zone_spec *s, const struct zone_records *actual, struct marks *m)
{
    for (size_t i = 0; i < actual->n; i++) {
        size_t at;
        if (actual->r[i].type == DNS_TLSA && zone_owner_of(s, actual->r[i].owner, &at) == ZONE_GROUP)
            m->started[at] = true;
    }
}

void zone_diff(struct arena *a, const struct zone_spec *s, const struct zone_records *desired,
               const struct zone_records *actual, struct zone_diff *out)
{
    *out = (struct zone_diff){.change = ARENA_ARRAY(a, struct dns_change, desired->n + actual->n),
                              .foreign = ARENA_ARRAY(a, struct dns_raw, actual->n),
                              .blocked = ARENA_ARRAY(a, struct dns_raw, desired->n)};
    struct marks m = {
        .a = a, .started = ARENA_ARRAY(a, bool, s->group_n), .kept = ARENA_ARRAY(a, bool, s->group_n)};
    find_started(s, actual, &m);
    for (enum pass pass = PASS_GROUPS; pass < PASSES; pass++)
        run_pass(pass, s, desired, actual, &m, out);
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

static bool refers_to(struct arena *a, const struct dns_change *c, const struct str *names, size_t n)
{
    struct dns_record r;
    if (c->op != DNS_ADD || c->record.type != DNS_CNAME || !dns_raw_record(a, &c->record, &r))
        return false;
    for (size_t i = 0; i < n; i++)
        if (str_equal(r.name, names[i]))
            return true;
    return false;
}

size_t zone_diff_hold(struct dns_change *change, size_t n, const struct str *missing, size_t missing_n)
{
    struct arena a = {0};
    size_t kept = 0;
    for (size_t i = 0, end; i < n; i = end) {
        bool held = false;
        for (end = i; end < n && str_equal(change[end].record.owner, change[i].record.owner); end++)
            held |= refers_to(&a, &change[end], missing, missing_n);
        for (size_t j = i; j < end && !held; j++)
            change[kept++] = change[j];
    }
    arena_release(&a);
    return kept;
}
