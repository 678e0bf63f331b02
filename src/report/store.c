#include "report/store.h"

static enum err is_known(struct call *c, const struct tlsrpt *r, bool *known)
{
    int64_t id;
    struct db_query *q = db_query(c->db, "SELECT id FROM tlsrpt WHERE organization = $1 AND report_id = $2");
    db_bind_text(q, r->organization);
    db_bind_text(q, r->report_id);
    enum err e = db_get_int(q, &id, c->why);
    *known = e == OK;
    return e == ERR_NOT_FOUND ? OK : e;
}

/* An accepted domain or its MX host; without an MX zone that is this machine. */
static enum err is_name_ours(struct call *c, struct str name, bool *ours)
{
    int64_t n = 0;
    *ours = str_equal_nocase(name, str_of(c->hostname));
    if (!name.n || *ours)
        return OK;
    struct db_query *q = db_query(c->db, "SELECT (SELECT COUNT(*) FROM domain WHERE name = $1)"
                                         " + (SELECT COUNT(*) FROM domain WHERE mx_host = $1)");
    db_bind_text(q, name);
    enum err e = db_get_int(q, &n, c->why);
    *ours = n > 0;
    return e;
}

static enum err is_policy_ours(struct call *c, const struct tlsrpt_policy *p, bool *ours)
{
    enum err e = is_name_ours(c, p->domain, ours);
    for (size_t i = 0; !e && !*ours && i < p->nfailure; i++)
        e = is_name_ours(c, p->failure[i].mx_host, ours);
    return e;
}

static enum err insert_report(struct call *c, int64_t id, const struct tlsrpt *r, int64_t now_ms)
{
    struct db_query *q =
        db_query(c->db, "INSERT INTO tlsrpt (id, organization, report_id, begin_ms, end_ms, taken_ms)"
                        " VALUES ($1, $2, $3, $4, $5, $6)");
    db_bind_int(q, id);
    db_bind_text(q, r->organization);
    db_bind_text(q, r->report_id);
    db_bind_int(q, r->begin_ms);
    db_bind_int(q, r->end_ms);
    db_bind_int(q, now_ms);
    return db_run(q, NULL, c->why);
}

static enum err insert_failure(struct call *c, int64_t id, size_t n, const struct tlsrpt_failure *f)
{
    struct db_query *q =
        db_query(c->db, "INSERT INTO tlsrpt_failure (tlsrpt_id, n, result, mx_host, sessions)"
                        " VALUES ($1, $2, $3, $4, $5)");
    db_bind_int(q, id);
    db_bind_int(q, (int64_t)n);
    db_bind_text(q, str_of(tlsrpt_result_name(f->result)));
    db_bind_text(q, f->mx_host);
    db_bind_int(q, f->sessions);
    return db_run(q, NULL, c->why);
}

static enum err insert_policy(struct call *c, int64_t id, size_t n, const struct tlsrpt_policy *p)
{
    struct db_query *q =
        db_query(c->db, "INSERT INTO tlsrpt_policy (tlsrpt_id, n, domain, type, successes, failures)"
                        " VALUES ($1, $2, $3, $4, $5, $6)");
    db_bind_int(q, id);
    db_bind_int(q, (int64_t)n);
    db_bind_text(q, p->domain);
    db_bind_text(q, str_of(tlsrpt_type_name(p->type)));
    db_bind_int(q, p->successes);
    db_bind_int(q, p->failures);
    enum err e = db_run(q, NULL, c->why);
    for (size_t i = 0; !e && i < p->nfailure; i++)
        e = insert_failure(c, id, n, &p->failure[i]);
    return e;
}

static enum err forget_old(struct call *c, int64_t now_ms)
{
    struct db_query *q = db_query(c->db, "DELETE FROM tlsrpt WHERE end_ms < $1");
    db_bind_int(q, now_ms - (int64_t)REPORT_KEEP_DAYS * 24 * 3600 * 1000);
    return db_run(q, NULL, c->why);
}

static enum err refuse_foreign(struct call *c, const struct tlsrpt *r)
{
    buf_set(c->why, "it is about none of the accepted domains and their MX hosts, but about");
    for (size_t i = 0; i < r->npolicy && i < 3; i++)
        buf_printf(c->why, "%s %.*s", i ? "," : "", STR_ARG(r->policy[i].domain));
    if (r->npolicy > 3)
        buf_printf(c->why, " and %zu more", r->npolicy - 3);
    return ERR_REFUSED;
}

static void count(struct report_kept *k, const struct tlsrpt_policy *p)
{
    k->policies++;
    k->successes += p->successes;
    k->failures += p->failures;
    for (size_t i = 0; i < p->nfailure; i++)
        k->results[p->failure[i].result] += p->failure[i].sessions;
}

enum err report_keep(struct call *c, const struct tlsrpt *r, int64_t now_ms, struct report_kept *out)
{
    int64_t id;
    *out = (struct report_kept){0};
    enum err e = is_known(c, r, &out->is_duplicate);
    if (e || out->is_duplicate)
        return e;
    e = new_id(c, &id);
    if (!e)
        e = insert_report(c, id, r, now_ms);
    for (size_t i = 0; !e && i < r->npolicy; i++) {
        bool ours;
        e = is_policy_ours(c, &r->policy[i], &ours);
        if (!e && ours) {
            count(out, &r->policy[i]);
            e = insert_policy(c, id, i, &r->policy[i]);
        }
    }
    out->foreign = r->npolicy - out->policies;
    if (!e && !out->policies)
        e = refuse_foreign(c, r);
    return e ? e : forget_old(c, now_ms);
}

/* ---- list ---- */

static enum err add_failures(struct call *c, int64_t id, int64_t n, json_t *row)
{
    json_t *results = json_array(), *details = json_array();
    int64_t sum[TLSRPT_NOT_TOLD + 1] = {0};
    struct db_query *q = db_query(c->db, "SELECT result, mx_host, sessions FROM tlsrpt_failure"
                                         " WHERE tlsrpt_id = $1 AND n = $2 ORDER BY sessions DESC");
    db_bind_int(q, id);
    db_bind_int(q, n);
    while (db_next(q)) {
        json_t *o = json_object();
        json_object_set_new(o, "result", json_of(db_text(q, 0)));
        json_object_set_new(o, "mx_host", json_of(db_text(q, 1)));
        json_object_set_new(o, "sessions", json_integer(db_int(q, 2)));
        json_array_append_new(details, o);
        sum[tlsrpt_result_parse(db_text(q, 0))] += db_int(q, 2);
    }
    for (size_t i = 0; i <= TLSRPT_NOT_TOLD; i++)
        if (sum[i])
            json_array_append_new(results, json_sprintf("%s:%lld", tlsrpt_result_name((enum tlsrpt_result)i),
                                                        (long long)sum[i]));
    json_object_set_new(row, "results", results);
    json_object_set_new(row, "failure_details", details);
    return db_end(q, c->why);
}

static json_t *describe_row(struct db_query *q)
{
    char day[CLOCK_TEXT];
    json_t *o = json_object();
    clock_iso(db_int(q, 3), day);
    json_object_set_new(o, "day", json_stringn(day, 10));
    json_object_set_new(o, "organization", json_of(db_text(q, 2)));
    json_object_set_new(o, "domain", json_of(db_text(q, 6)));
    json_object_set_new(o, "policy", json_of(db_text(q, 7)));
    json_object_set_new(o, "successes", json_integer(db_int(q, 8)));
    json_object_set_new(o, "failures", json_integer(db_int(q, 9)));
    json_object_set_new(o, "report_id", json_of(db_text(q, 10)));
    json_object_set_new(o, "from", json_time(db_int(q, 3)));
    json_object_set_new(o, "to", json_time(db_int(q, 4)));
    json_object_set_new(o, "taken", json_time(db_int(q, 5)));
    return o;
}

#define ROW                                                                                                  \
    "SELECT t.id, p.n, t.organization, t.begin_ms, t.end_ms, t.taken_ms, p.domain, p.type, p.successes,"     \
    " p.failures, t.report_id FROM "
#define NEWEST " ORDER BY t.end_ms DESC, t.id DESC, p.n LIMIT "

/* Each report has a policy: no more reports than rows are wanted. */
static struct db_query *query_all(struct call *c, int64_t most)
{
    struct db_query *q =
        db_query(c->db, ROW
                 "(SELECT id FROM tlsrpt ORDER BY end_ms DESC, id DESC LIMIT $1) wanted"
                 " JOIN tlsrpt t ON t.id = wanted.id JOIN tlsrpt_policy p ON p.tlsrpt_id = t.id" NEWEST "$1");
    db_bind_int(q, most);
    return q;
}

/* By index, as there may be reports about a million others. */
static struct db_query *query_domain(struct call *c, struct str domain, struct str mx_host, int64_t most)
{
    struct db_query *q = db_query(
        c->db, ROW "(SELECT tlsrpt_id, n FROM tlsrpt_policy WHERE domain = $1"
                   " UNION SELECT tlsrpt_id, n FROM tlsrpt_policy WHERE domain = $2"
                   " UNION SELECT tlsrpt_id, n FROM tlsrpt_failure WHERE mx_host = $2) wanted"
                   " JOIN tlsrpt t ON t.id = wanted.tlsrpt_id"
                   " JOIN tlsrpt_policy p ON p.tlsrpt_id = wanted.tlsrpt_id AND p.n = wanted.n" NEWEST "$3");
    db_bind_text(q, domain);
    db_bind_text(q, mx_host);
    db_bind_int(q, most);
    return q;
}

/* The domain itself when it has none of its own. */
static enum err mx_host_of(struct call *c, struct str domain, struct str *out)
{
    struct db_query *q = db_query(c->db, "SELECT mx_host FROM domain WHERE name = $1");
    db_bind_text(q, domain);
    *out = db_next(q) && db_text(q, 0).n ? arena_str(c->a, db_text(q, 0)) : domain;
    return db_end(q, c->why);
}

enum err report_list(struct call *c, struct str domain, int64_t most, json_t **out)
{
    struct str mx_host;
    enum err e = mx_host_of(c, domain, &mx_host);
    if (e)
        return e;
    struct db_query *q = domain.n ? query_domain(c, domain, mx_host, most) : query_all(c, most);
    *out = json_array();
    while (!e && db_next(q)) {
        json_t *row = describe_row(q);
        e = add_failures(c, db_int(q, 0), db_int(q, 1), row);
        json_array_append_new(*out, row);
    }
    enum err ended = db_end(q, c->why);
    return e ? e : ended;
}
