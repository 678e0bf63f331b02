/* Reports as the database has them. All of it inside a call's transaction. */
#ifndef REPORT_STORE_H
#define REPORT_STORE_H

#include "report/tlsrpt.h"
#include "tenant/call.h"

enum { REPORT_KEEP_DAYS = 90 };

struct report_kept {
    bool is_duplicate;        /* it was there: nothing was changed, and nothing below is set */
    size_t policies, foreign; /* those kept, and those about names that are not ours */
    int64_t successes, failures;
    int64_t results[TLSRPT_NOT_TOLD + 1]; /* sessions, by result */
};
/* Keeps what is about accepted domains and their MX hosts, and forgets reports about days long gone.
 * ERR_REFUSED when none of it is. */
enum err report_keep(struct call *c, const struct tlsrpt *r, int64_t now_ms,
                     struct report_kept *out) MUST_CHECK;

/* The last `most` policies of reports, newest first, as JSON; domain: an accepted domain, normalised, to see
 * those about it and its MX host alone; empty: all. */
enum err report_list(struct call *c, struct str domain, int64_t most, json_t **out) MUST_CHECK;

#endif
