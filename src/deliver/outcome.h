/* What became of a recipient, or of a step towards it, as data: who is to blame, why, and in whose words. One
 * file, trouble.c, decides what an outcome leads to. */
#ifndef DELIVER_OUTCOME_H
#define DELIVER_OUTCOME_H

#include "policy/policy.h"
#include "smtp/reply.h"

enum blame {
    BLAME_NOBODY,    /* it went well */
    BLAME_HOST,      /* this host; another one may do better */
    BLAME_DOMAIN,    /* all hosts of the domain: DNS, policy */
    BLAME_MESSAGE,   /* this message, for whatever recipient */
    BLAME_RECIPIENT, /* this recipient */
    BLAME_US,        /* this machine */
};

enum { OUTCOME_CODE = 24 };

struct outcome {
    enum blame blame;
    enum reason reason;
    bool permanent;          /* said to be so by the peer or by DNS */
    struct smtp_reply reply; /* code 0: the peer said nothing */
    char code[OUTCOME_CODE]; /* enhanced status code: the peer's own, else the reason's, else by class */
    struct str text;         /* details for a human; may be empty. Memory of the attempt's arena */
};

/* Where in the dialog a reply was read. */
enum stage {
    STAGE_GREETING,
    STAGE_HELLO,
    STAGE_STARTTLS,
    STAGE_MAIL,
    STAGE_RCPT,
    STAGE_DATA,
    STAGE_CONTENT,
    STAGE_COUNT
};
const char *stage_name(enum stage stage);

/* What to do next. */
enum verdict {
    VERDICT_DONE,      /* delivered */
    VERDICT_NEXT_HOST, /* the next host; none left: retry */
    VERDICT_RETRY,     /* later, from DNS again */
    VERDICT_BOUNCE,    /* now */
};

/* The outcome of a reply that was read at a stage (a good one gives BLAME_NOBODY). */
struct outcome trouble_of_reply(enum stage stage, const struct smtp_reply *reply);
/* The outcome of reading no reply at a stage: connection lost, time over (e), or bytes that are no reply
 * (ERR_MALFORMED). */
struct outcome trouble_of_silence(enum stage stage, enum err e, struct str why);
/* A reason of our own. */
struct outcome trouble_of_reason(enum blame blame, enum reason reason, struct str text);
/* No plan, or a host that the plan has put out. */
struct outcome trouble_of_plan(enum plan_verdict verdict, const struct policy_trouble *trouble,
                               struct arena *a);
/* A verdict of dane/ that is no match. */
struct outcome trouble_of_dane(const struct dane_verdict *verdict, struct arena *a);

enum verdict trouble_verdict(const struct outcome *o);
/* The enhanced status code while the message is queued: of class 4 whatever the peer said, since it will be
 * tried again (RFC 3463 section 2). */
const char *trouble_queued_code(const struct outcome *o);
/* The enhanced status code for a bounce of this outcome; expired: because the lifetime is over. */
const char *trouble_final_code(const struct outcome *o, bool expired);

#endif
