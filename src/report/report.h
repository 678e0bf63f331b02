/*
 * report: what other organizations say about mail to our accepted domains. It takes TLS reports (RFC 8460) as
 * an operator hands them in, keeps what they count, by organization, day, policy domain and policy type, and
 * lists it. A report that comes twice counts once.
 *
 * Reports are read in a process that has nothing to lose (reader); what comes back is checked again and kept
 * (store). unwrap, tlsrpt, check and pack are pure. Knows nothing of rollouts, and nothing of how mail brings
 * reports: who calls report.take vouches for where they are from.
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "report/reader.h"
#include "report/store.h"
#include "report/tlsrpt.h"

struct reports;
/* Before tenant_open: it is the context of the verbs. */
struct reports *reports_new(void);
void reports_free(struct reports *r); /* accepts NULL */

/* report.*; the context is a struct reports. */
extern const struct tenant_verb report_verbs[];
extern const size_t report_verb_count;

#endif
