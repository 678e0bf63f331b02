/* One zone from what is there to what is wanted. */
#include "zone/keep_json.h"

enum { BATCH = 2000, SEND_MS = 60000, READ_MS = 60000 };

static json_t *records_json(const struct dns_raw *r, size_t n)
{
    json_t *list = n ? json_array() : NULL;
    for (size_t i = 0; i < n && i < ZONE_LIST_MAX; i++)
        json_array_append_new(list, keep_record_json(&r[i]));
    return list;
}

static void replace(json_t **at, json_t *by)
{
    json_decref(*at);
    *at = by;
}

/* One run of the job. */
struct run {
    struct keep_zone *z;
    struct keep_spec spec;
    struct zone_diff diff;
    struct authority primary;
    json_t *refused;
    size_t sent;
    struct str *missing; /* names of groups whose RRset the primary refused to start */
    size_t missing_n;
    struct buf why;
};

static void set_backlog(struct run *r, size_t left)
{
    pthread_mutex_lock(&r->z->keeper->lock);
    r->z->report.backlog = left;
    pthread_cond_broadcast(&r->z->keeper->changed);
    pthread_mutex_unlock(&r->z->keeper->lock);
}

static enum err read_back(struct run *r)
{
    struct keep_zone *z = r->z;
    if (z->has_actual)
        zone_snapshot_release(&z->actual);
    z->has_actual = false;
    enum err e = zone_read_back(&r->primary, r->spec.spec.name, deadline_in(READ_MS), &z->actual, &r->why);
    if (e)
        return e;
    z->has_actual = true;
    z->source = keep_spec_source(&r->spec);
    pthread_mutex_lock(&z->keeper->lock);
    z->must_read = false;
    z->report.read_ms = clock_wall();
    z->report.serial = z->actual.serial;
    keep_wanted_ds(z);
    pthread_mutex_unlock(&z->keeper->lock);
    return OK;
}

/* Groups that come before hosts, hosts before groups that go: a call of zone_publish keeps no order. */
static size_t same_kind(const struct dns_change *c, size_t n)
{
    size_t run = 1;
    bool group = str_starts(c[0].record.owner, STR("_dane."));
    while (run < n && str_starts(c[run].record.owner, STR("_dane.")) == group)
        run++;
    return run;
}

static void take_sent(struct run *r, const struct dns_change *c, size_t n, const struct zone_published *p)
{
    for (size_t i = 0; i < p->nrefused; i++) {
        json_t *o = json_object();
        const struct dns_change *one = &c[p->refused[i].change];
        json_object_set_new(o, "change", json_string(one->op == DNS_ADD ? "add" : "remove"));
        json_object_set_new(o, "record", keep_record_json(&one->record));
        json_object_set_new(o, "why", json_of(p->refused[i].why));
        if (json_array_size(r->refused) < ZONE_LIST_MAX)
            json_array_append_new(r->refused, o);
        else
            json_decref(o);
    }
    for (size_t i = 0, run; p->is_sent && i < n; i += run) {
        for (run = 1; i + run < n && p->is_sent[i + run] == p->is_sent[i];)
            run++;
        if (p->is_sent[i])
            zone_snapshot_apply(&r->z->actual, c + i, run);
    }
    r->sent += p->sent;
}

static bool has_tlsa(const struct zone_snapshot *s, struct str owner)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->records[i].type == DNS_TLSA && str_equal(s->records[i].owner, owner))
            return true;
    return false;
}

/* What hosts would refer to is not there: they keep what they have. */
static void note_missing(struct run *r, const struct dns_change *c, const struct zone_published *p)
{
    for (size_t i = 0; i < p->nrefused; i++) {
        const struct dns_raw *one = &c[p->refused[i].change].record;
        if (str_starts(one->owner, STR("_dane.")) && !has_tlsa(&r->z->actual, one->owner) &&
            (r->missing_n == 0 || !str_equal(r->missing[r->missing_n - 1], one->owner)))
            r->missing[r->missing_n++] = one->owner;
    }
}

/* Aliases that were sent together with the removal of records. */
static size_t find_turned(const struct dns_change *c, size_t n, const bool *is_sent, struct dns_change *out)
{
    size_t found = 0;
    for (size_t i = 0, end; i < n; i = end) {
        bool removes = false;
        for (end = i; end < n && str_equal(c[end].record.owner, c[i].record.owner); end++)
            removes |= c[end].op == DNS_REMOVE;
        for (size_t j = i; j < end && removes; j++)
            if (c[j].op == DNS_ADD && c[j].record.type == DNS_CNAME && is_sent[j])
                out[found++] = c[j];
    }
    return found;
}

/* Knot sees the signatures of the records that go in the same message and adds no alias, with NOERROR. Said
 * again it is added, and where it is there already nothing happens. */
static enum err say_again(struct run *r, struct arena *a, const struct dns_change *c, size_t n,
                          const struct zone_published *sent)
{
    struct zone_published p;
    struct dns_change *again = ARENA_ARRAY(a, struct dns_change, n);
    size_t count = find_turned(c, n, sent->is_sent, again);
    if (!count)
        return OK;
    enum err e =
        zone_publish(&r->primary, r->spec.spec.name, again, count, deadline_in(SEND_MS), a, &p, &r->why);
    if (e || !p.nrefused)
        return e;
    buf_set(&r->why, "%.*s", STR_ARG(p.refused[0].why));
    return ERR_REFUSED;
}

static enum err send_all(struct run *r)
{
    struct arena a = {0};
    enum err e = OK;
    size_t n;
    r->missing = ARENA_ARRAY(&r->spec.arena, struct str, r->spec.spec.group_n);
    for (size_t at = 0; !e && at < r->diff.n; at += n) {
        struct zone_published p = {0};
        struct dns_change *c = r->diff.change + at;
        n = zone_diff_batch(c, same_kind(c, r->diff.n - at), BATCH);
        size_t ready = r->missing_n ? zone_diff_hold(c, n, r->missing, r->missing_n) : n;
        e = zone_publish(&r->primary, r->spec.spec.name, c, ready, deadline_in(SEND_MS), &a, &p, &r->why);
        take_sent(r, c, ready, &p);
        note_missing(r, c, &p);
        if (p.sent) {
            enum err again = say_again(r, &a, c, ready, &p);
            e = e ? e : again;
        }
        arena_release(&a);
        set_backlog(r, r->diff.n - r->sent);
    }
    return e;
}

static bool ask_serial(struct run *r, uint32_t *out)
{
    struct arena a = {0};
    struct authority_answer answer;
    struct dns_question soa = {r->spec.spec.name, DNS_SOA};
    bool has =
        !authority_ask(&r->primary, &a, &soa, deadline_in(r->z->keeper->conf.timeout_ms), &answer, NULL) &&
        answer.has_serial;
    if (has)
        *out = answer.serial;
    arena_release(&a);
    return has;
}

static void log_outcome(const struct run *r, enum err e, int64_t took_ms)
{
    if (e || json_array_size(r->refused))
        log_event(LOG_ERROR, "zone-not-published", LOG_TEXT("zone", r->z->name), LOG_NUM("sent", r->sent),
                  LOG_NUM("refused", json_array_size(r->refused)), LOG_NUM("left", r->diff.n - r->sent),
                  LOG_STR("why", buf_str(&r->why)));
    else if (r->sent)
        log_event(LOG_INFO, "zone-published", LOG_TEXT("zone", r->z->name), LOG_NUM("changes", r->sent),
                  LOG_NUM("serial", r->z->actual.serial), LOG_NUM("ms", took_ms));
}

static void report(struct run *r, enum err e)
{
    struct keep_zone *z = r->z;
    size_t refused = json_array_size(r->refused);
    pthread_mutex_lock(&z->keeper->lock);
    z->report.failed = e != OK;
    buf_reserve(&r->why, 1);
    (void)snprintf(z->report.why, sizeof z->report.why, "%s", e ? buf_cstr(&r->why) : "");
    if (z->has_actual) {
        replace(&z->report.refused, json_incref(r->refused));
        replace(&z->report.foreign, records_json(r->diff.foreign, r->diff.foreign_n));
        replace(&z->report.blocked, records_json(r->diff.blocked, r->diff.blocked_n));
        z->report.foreign_n = r->diff.foreign_n;
        z->report.serial = z->actual.serial;
        z->report.backlog = r->diff.n - r->sent;
    }
    if (r->sent)
        z->report.published_ms = clock_wall();
    bool rest = e || refused;
    keep_pace_end(&z->pace,
                  rest      ? KEEP_END_REST
                  : r->sent ? KEEP_END_SENT
                            : KEEP_END_IDLE,
                  r->spec.stamp, clock_mono());
    z->is_due |= rest;
    z->stamp = rest ? 0 : r->spec.stamp;
    z->keeper->look |= r->sent > 0;
    pthread_mutex_unlock(&z->keeper->lock);
    z->wanted = rest ? 0 : keep_spec_hash(&r->spec);
}

static enum err note_pairs(struct call *c, void *ctx)
{
    const struct keep_spec *s = ctx;
    enum err e = OK;
    for (size_t i = 0; !e && i < s->spec.host_n; i++) {
        const struct zone_host *h = &s->spec.hosts[i];
        if (!zone_host_has_dane(&s->spec, h) || s->noted[h->group])
            continue;
        struct keep_pair p = keep_spec_pair(s, h->group);
        e = keep_pair_note(c, &p);
        s->noted[h->group] = true;
    }
    return e;
}

/* Before TLSA records are sent, the gate must know where it will have to look for them. */
static enum err note(struct run *r)
{
    const struct keep_spec *s = &r->spec;
    bool missing = false;
    for (size_t i = 0; i < s->spec.host_n; i++)
        missing |= zone_host_has_dane(&s->spec, &s->spec.hosts[i]) && !s->noted[s->spec.hosts[i].group];
    return missing ? tenant_transact(r->z->keeper->store, TENANT_WRITE, note_pairs, &r->spec, &r->why) : OK;
}

/* Is the snapshot none to compare with? What was refused was not done: only what failed, and what is tried
 * once more, is read back. */
static bool is_stale(const struct run *r)
{
    struct keep_zone *z = r->z;
    if (!z->has_actual || z->source != keep_spec_source(&r->spec))
        return true;
    pthread_mutex_lock(&z->keeper->lock);
    bool stale = z->must_read || z->report.failed || (z->pace.failures && z->pace.tried == r->spec.stamp);
    pthread_mutex_unlock(&z->keeper->lock);
    return stale;
}

static void compare(struct run *r)
{
    struct keep_zone *z = r->z;
    struct zone_records desired, actual = {z->actual.records, z->actual.n};
    pthread_mutex_lock(&z->keeper->lock);
    struct keep_lingers lingers = keep_linger_copy(&z->lingers), before;
    pthread_mutex_unlock(&z->keeper->lock);
    int64_t next = keep_linger_follow(&lingers, &r->spec.arena, &r->spec.spec, &actual, clock_mono());
    pthread_mutex_lock(&z->keeper->lock);
    before = z->lingers;
    z->lingers = lingers;
    z->lingers_ms = next;
    pthread_mutex_unlock(&z->keeper->lock);
    keep_linger_release(&before);
    zone_desired(&r->spec.arena, &r->spec.spec, &desired);
    zone_diff(&r->spec.arena, &r->spec.spec, &desired, &actual, &r->diff);
}

static enum err bring_out(struct run *r)
{
    uint32_t serial;
    bool stale = is_stale(r);
    enum err e = note(r);
    if (!e && stale)
        e = read_back(r);
    if (e)
        return e;
    compare(r);
    /* Somebody else's change would be covered by the serial that ours makes. */
    if (!stale && r->diff.n && (!ask_serial(r, &serial) || serial != r->z->actual.serial)) {
        e = read_back(r);
        if (e)
            return e;
        compare(r);
    }
    set_backlog(r, r->diff.n);
    e = send_all(r);
    if (r->sent && ask_serial(r, &serial)) /* one that is not ours will be noticed */
        r->z->actual.serial = serial;
    return e;
}

void keep_publish(void *zone)
{
    struct run r = {.z = zone};
    struct keep_zone *z = r.z;
    int64_t began = clock_mono();
    pthread_mutex_lock(&z->keeper->lock);
    bool must_run = z->must_read || z->lingers_ms <= began;
    pthread_mutex_unlock(&z->keeper->lock);
    enum err e = keep_spec_load(z->keeper, z->name, &r.spec, &r.why);
    if (e == ERR_NOT_FOUND) {
        pthread_mutex_lock(&z->keeper->lock);
        z->is_there = false;
        pthread_mutex_unlock(&z->keeper->lock);
    } else if (e == ERR_REFUSED) { /* its first look wakes the publisher */
        pthread_mutex_lock(&z->keeper->lock);
        z->is_due = z->has_news = true;
        z->pace.not_before = clock_mono() + KEEP_EACH_MS;
        pthread_mutex_unlock(&z->keeper->lock);
    } else if (e || must_run || !z->has_actual || z->wanted != keep_spec_hash(&r.spec)) {
        r.refused = json_array();
        r.primary = (struct authority){.addr = r.spec.row.primary,
                                       .key = r.spec.row.key.name.n ? &r.spec.row.key : NULL};
        if (!e)
            e = bring_out(&r);
        log_outcome(&r, e, clock_mono() - began);
        report(&r, e);
        json_decref(r.refused);
    } else {
        pthread_mutex_lock(&z->keeper->lock);
        z->stamp = r.spec.stamp;
        pthread_mutex_unlock(&z->keeper->lock);
    }
    keep_spec_release(&r.spec);
    buf_release(&r.why);
    pthread_mutex_lock(&z->keeper->lock);
    z->is_busy = false;
    z->rounds++;
    pthread_cond_broadcast(&z->keeper->changed);
    pthread_mutex_unlock(&z->keeper->lock);
}
