/* The envelope: everything about a message that is not its content. Made by smtpd (and by deliver for
 * bounces), stored by the queue, read by deliver. Open data; text borrows from whoever filled it. */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include "base/base.h"

/* RET of RFC 3461: what a failure notification returns of the message. */
enum envelope_ret { ENVELOPE_RET_UNSET, ENVELOPE_RET_FULL, ENVELOPE_RET_HDRS };

/* NOTIFY of RFC 3461, a set of bits; 0 means that the parameter was absent. */
enum envelope_notify {
    ENVELOPE_NOTIFY_NEVER = 1,
    ENVELOPE_NOTIFY_SUCCESS = 2,
    ENVELOPE_NOTIFY_FAILURE = 4,
    ENVELOPE_NOTIFY_DELAY = 8,
};

struct envelope_rcpt {
    struct str address; /* local@domain as the client wrote it, no angle brackets, no source route */
    struct str orcpt;   /* ORCPT: "rfc822;address" decoded, "utf-8;..." as it came; empty when absent */
    uint8_t notify;     /* envelope_notify bits */
};

struct envelope {
    struct str id;       /* queue id, set by the queue */
    int64_t received_ms; /* wall clock, ms */
    struct str tenant;   /* the tenant who relays out; empty for mail from outside */
    struct str sender;   /* empty for the null path */
    struct str envid;    /* ENVID decoded; empty when absent */
    enum envelope_ret ret;
    bool smtputf8;   /* SMTPUTF8 was asked for */
    bool body_8bit;  /* the content has octets above 127, whatever BODY said */
    bool requiretls; /* RFC 8689; reserved for REQUIRETLS */
    struct str peer; /* client address as text; empty for mail of our own making */
    struct str helo;
    uint64_t size; /* octets of the content, our trace header included */
    struct envelope_rcpt *rcpt;
    size_t nrcpt;
};

/* Appends the stored form (version byte first, base/codec fields). */
void envelope_pack(const struct envelope *e, struct buf *out);
/* Reads the stored form; the recipients' array is in the arena, text borrows from the packed bytes. Trailing
 * bytes are an error. ERR_CORRUPT when damaged. */
enum err envelope_unpack(struct str packed, struct arena *a, struct envelope *out) MUST_CHECK;

/* "NEVER" or "SUCCESS,FAILURE,DELAY" in that order; NULL-terminated text, "" for 0. out needs 24 bytes. */
enum { ENVELOPE_NOTIFY_TEXT = 24 };
void envelope_notify_text(uint8_t notify, char out[ENVELOPE_NOTIFY_TEXT]);

#endif
