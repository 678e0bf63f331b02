/* One report of TLS-RPT (RFC 8460), as data. Everything here is pure.
 *
 * The reader is tolerant where senders differ and nothing is lost by it: counts as text, times without a zone
 * (UTC) or with an offset, names it does not know, results it does not know. What would make a report count
 * wrongly is an error that says where in the report it stands. */
#ifndef REPORT_TLSRPT_H
#define REPORT_TLSRPT_H

#include "base/base.h"

/* X(NAME, "name"): the policy types of RFC 8460, section 4.4. */
#define TLSRPT_TYPE_TABLE(X)                                                                                 \
    X(TLSA, "tlsa")                                                                                          \
    X(STS, "sts")                                                                                            \
    X(NO_POLICY, "no-policy-found")
enum tlsrpt_type {
#define X(name, text) TLSRPT_##name,
    TLSRPT_TYPE_TABLE(X)
#undef X
};
const char *tlsrpt_type_name(enum tlsrpt_type t);

/* The result types of section 4.3; then: a word that is none of them, and failures that are in the summary
 * but in no failure-details. */
#define TLSRPT_RESULT_TABLE(X)                                                                               \
    X(STARTTLS_NOT_SUPPORTED, "starttls-not-supported")                                                      \
    X(CERTIFICATE_HOST_MISMATCH, "certificate-host-mismatch")                                                \
    X(CERTIFICATE_EXPIRED, "certificate-expired")                                                            \
    X(CERTIFICATE_NOT_TRUSTED, "certificate-not-trusted")                                                    \
    X(VALIDATION_FAILURE, "validation-failure")                                                              \
    X(TLSA_INVALID, "tlsa-invalid")                                                                          \
    X(DNSSEC_INVALID, "dnssec-invalid")                                                                      \
    X(DANE_REQUIRED, "dane-required")                                                                        \
    X(STS_POLICY_FETCH_ERROR, "sts-policy-fetch-error")                                                      \
    X(STS_POLICY_INVALID, "sts-policy-invalid")                                                              \
    X(STS_WEBPKI_INVALID, "sts-webpki-invalid")                                                              \
    X(OTHER, "other")                                                                                        \
    X(NOT_TOLD, "not-told")
enum tlsrpt_result {
#define X(name, text) TLSRPT_##name,
    TLSRPT_RESULT_TABLE(X)
#undef X
};
const char *tlsrpt_result_name(enum tlsrpt_result r);
enum tlsrpt_result tlsrpt_result_parse(struct str name); /* OTHER when it is none */

enum {
    TLSRPT_TEXT_MAX = 255, /* octets of the organization's name and of the report id */
    TLSRPT_POLICIES_MAX = 10000,
    TLSRPT_FAILURES_MAX = 100000, /* failure-details in all */
    TLSRPT_DEPTH_MAX = 16,        /* brackets in brackets; a report has 5 */
};
#define TLSRPT_COUNT_MAX 1000000000000 /* sessions in one count: sums stay far from overflow */

struct tlsrpt_failure {
    enum tlsrpt_result result;
    struct str mx_host; /* receiving-mx-hostname, normalised; empty when there is none that is a name */
    int64_t sessions;
};

struct tlsrpt_policy {
    enum tlsrpt_type type;
    /* Normalised. RFC 8460 wants the TLSA base domain for tlsa, so an MX host; many senders give the
     * recipient domain there, too. */
    struct str domain;
    int64_t successes, failures; /* failures: the sum of what follows */
    struct tlsrpt_failure *failure;
    size_t nfailure; /* each result and MX host once */
};

struct tlsrpt {
    struct str organization, report_id; /* valid UTF-8 without control characters, never empty */
    int64_t begin_ms, end_ms;
    struct tlsrpt_policy *policy;
    size_t npolicy;
};

/* JSON to a report, in the arena. ERR_MALFORMED with what is wrong, and where. */
enum err tlsrpt_parse(struct str json, struct arena *a, struct tlsrpt *out, struct buf *why) MUST_CHECK;
/* "2026-11-29T00:00:00Z", also with a fraction, an offset, or without a zone; ms. */
bool tlsrpt_time(struct str text, int64_t *ms);
/* Could this be a report about what has happened? ERR_REFUSED with what speaks against it. */
enum err tlsrpt_check(const struct tlsrpt *r, int64_t now_ms, struct buf *why) MUST_CHECK;

/* How a report comes out of the process that read it. unpack does not trust what it gets: all that parse
 * promises is checked again. Texts are copied. */
void tlsrpt_pack(const struct tlsrpt *r, struct buf *out);
enum err tlsrpt_unpack(struct str packed, struct arena *a, struct tlsrpt *out) MUST_CHECK;

#endif
