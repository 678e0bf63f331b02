/* TLS reports on their way from the database to a wave's health. */
#include "rollout/watch.h"

enum { ID, ORGANIZATION, END, TAKEN, DOMAIN, MX_HOST, RESULT, SESSIONS };

#define REPORT "t.id, t.organization, t.end_ms, t.taken_ms, p.domain"
#define OF_POLICIES " FROM tlsrpt t JOIN tlsrpt_policy p ON p.tlsrpt_id = t.id"
#define NEW " WHERE t.id > $1 AND t.end_ms > $2"
static const char rows_since[] = "SELECT " REPORT ", '', '', p.successes" OF_POLICIES NEW
                                 " UNION ALL SELECT " REPORT ", f.mx_host, f.result, f.sessions" OF_POLICIES
                                 " JOIN tlsrpt_failure f ON f.tlsrpt_id = p.tlsrpt_id AND f.n = p.n" NEW;

static void take(struct rollout_health *h, struct db_query *q)
{
    struct rollout_row row = {.organization = db_text(q, ORGANIZATION),
                              .domain = db_text(q, DOMAIN),
                              .mx_host = db_text(q, MX_HOST),
                              .end_ms = db_int(q, END),
                              .taken_ms = db_int(q, TAKEN)};
    if (db_text(q, RESULT).n) {
        row.result = tlsrpt_result_parse(db_text(q, RESULT));
        row.counts.bad = db_int(q, SESSIONS);
    } else {
        row.counts.good = db_int(q, SESSIONS);
    }
    rollout_health_row(h, &row);
}

enum err rollout_watch_told(struct call *c, struct rollout_watch *w, struct rollout *r)
{
    if (!r->begun)
        return OK;
    int64_t earliest = r->first_ms[0], last = w->report_seen;
    for (size_t i = 0; i < r->begun; i++) {
        w->health.times[i] = (struct rollout_times){r->begun_ms[i], r->first_ms[i], r->baseline_ms};
        earliest = r->first_ms[i] < earliest ? r->first_ms[i] : earliest;
    }
    struct db_query *q = db_query(c->db, rows_since);
    db_bind_int(q, w->report_seen);
    db_bind_int(q, earliest - r->baseline_ms);
    while (db_next(q)) {
        last = db_int(q, ID) > last ? db_int(q, ID) : last;
        take(&w->health, q);
    }
    enum err e = db_end(q, c->why);
    if (e) { /* some were counted, and it is not known which: begin again */
        rollout_watch_release(w);
        return e;
    }
    w->report_seen = last;
    for (size_t i = 0; i < r->begun; i++)
        rollout_health_told(&w->health, i, &r->rules, &r->wave[i].told);
    return OK;
}
