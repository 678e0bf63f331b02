/* Questions as messages, and messages as answers. Pure. */
#ifndef DNS_MESSAGE_H
#define DNS_MESSAGE_H

#include "dns/answer.h"

enum {
    DNS_EDNS_SIZE = 1232,
    DNS_MESSAGE_MAX = 65535,
};

/* Whom to ask, and what it shall do: a resolver that validates, or shall not; an authoritative server. */
enum dns_check { DNS_VALIDATED, DNS_CHECKING_DISABLED, DNS_AUTHORITATIVE };

/* A question with EDNS and DO; RD and AD for a resolver, CD when checking is disabled. False when the name
 * has no wire form. */
bool dns_query_write(struct buf *out, uint16_t id, const struct dns_question *question, enum dns_check check);

enum dns_parsed {
    DNS_PARSED,    /* out says what the answer is, malformed ones included */
    DNS_NOT_OURS,  /* not the answer to this question: wait on */
    DNS_TRUNCATED, /* ask again over TCP */
};

/* Judges a message as the answer to a question asked with this id. Copies what it keeps into the arena. */
enum dns_parsed dns_answer_parse(struct arena *a, struct str message, uint16_t id,
                                 const struct dns_question *question, struct dns_answer *out);

/* An answer that is an error of ours to see it: timeout, unasked. text is copied. */
void dns_answer_fail(struct arena *a, const struct dns_question *question, enum dns_error error,
                     struct str text, struct dns_answer *out);

#endif
