/* Talking to one authoritative server: a question, an update, a zone transfer. Every call keeps its deadline;
 * none keeps state, so any number of threads may call. */
#ifndef DNS_AUTHORITY_H
#define DNS_AUTHORITY_H

#include "dns/tsig.h"
#include "dns/update.h"
#include "dns/zone_message.h"

struct authority {
    struct addr addr;
    const struct tsig_key *key; /* NULL: nothing is signed */
};

/* Asks without recursion, with DO; over UDP, three times, then over TCP when the answer is cut. OK:
 * the server answered, whatever it said. ERR_TIMEOUT, ERR_SYSTEM, ERR_CLOSED, ERR_MALFORMED and a sentence
 * otherwise. Questions are not signed. */
enum err authority_ask(const struct authority *s, struct arena *a, const struct dns_question *question,
                       deadline until, struct authority_answer *out, struct buf *why) MUST_CHECK;

struct authority_update {
    size_t taken; /* the first so many changes were sent */
    enum dns_rcode rcode;
    enum tsig_error tsig;
};

/* Sends, over TCP, as many of the changes as fit into one message. OK: the server made them. ERR_REFUSED: it
 * did not, out says why, so does the sentence (which names key, clock and remedy when it is about TSIG).
 * Other errors: unknown whether it did; updates may be repeated. */
enum err authority_update(const struct authority *s, struct str zone, const struct dns_change *changes,
                          size_t n, deadline until, struct authority_update *out, struct buf *why) MUST_CHECK;

/* AXFR. each() sees every record as it comes, the SOA once, first; names and data live during the call. What
 * it saw counts only when OK is returned: then it was the whole zone, signed to the end. ERR_REFUSED: the
 * server does not give it to us. The deadline is for the whole. */
enum err authority_transfer(const struct authority *s, struct str zone, deadline until, authority_each *each,
                            void *ctx, struct buf *why) MUST_CHECK;

#endif
