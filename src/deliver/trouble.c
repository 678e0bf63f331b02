/* Who is to blame decides what comes next: the host's fault leads to the next host, the domain's and ours to
 * a retry, the message's and the recipient's to a bounce when the peer says that it is permanent. What fails
 * security never bounces before its lifetime is over: an attacker could forge non-delivery reports (RFC 3207
 * and 7672 leave room for both). */
#include "deliver/outcome.h"

const char *stage_name(enum stage stage)
{
    static const char *const names[STAGE_COUNT] = {"greeting", "EHLO", "STARTTLS", "MAIL",
                                                   "RCPT",     "DATA", "content"};
    return names[stage];
}

/* Whom a 4xx and a 5xx reply blames, by stage. A 4xx to MAIL or DATA is about the host's state; a 5xx about
 * the message. */
static const struct {
    enum blame transient, permanent;
} blames[STAGE_COUNT] = {
    [STAGE_GREETING] = {BLAME_HOST, BLAME_HOST},       [STAGE_HELLO] = {BLAME_HOST, BLAME_HOST},
    [STAGE_STARTTLS] = {BLAME_HOST, BLAME_HOST},       [STAGE_MAIL] = {BLAME_HOST, BLAME_MESSAGE},
    [STAGE_RCPT] = {BLAME_RECIPIENT, BLAME_RECIPIENT}, [STAGE_DATA] = {BLAME_HOST, BLAME_MESSAGE},
    [STAGE_CONTENT] = {BLAME_MESSAGE, BLAME_MESSAGE},
};

/* RFC 5321 4.5.3.1.10: 552 to RCPT is an old way to say 452, too many recipients. */
static bool means_452(enum stage stage, const struct smtp_reply *reply)
{
    return stage == STAGE_RCPT && reply->code == 552;
}

static void set_code(struct outcome *o)
{
    const uint16_t *s = o->reply.status;
    if (s[0])
        (void)snprintf(o->code, sizeof o->code, "%u.%u.%u", s[0] % 10U, s[1] % 1000U, s[2] % 1000U);
    else if (o->reply.code)
        (void)snprintf(o->code, sizeof o->code, "%u.0.0", o->reply.code / 100 % 10U);
    else
        (void)snprintf(o->code, sizeof o->code, "%s",
                       o->permanent ? reason_row(o->reason)->final : reason_row(o->reason)->temporary);
}

struct outcome trouble_of_reply(enum stage stage, const struct smtp_reply *reply)
{
    struct outcome o = {.reply = *reply, .text = reply->text};
    if (stage == STAGE_DATA ? reply->code == 354 : smtp_reply_is_good(reply)) {
        set_code(&o);
        return o;
    }
    o.reason = stage == STAGE_STARTTLS ? REASON_STARTTLS_REFUSED : REASON_REFUSED;
    if (smtp_reply_is_permanent(reply)) {
        o.blame = blames[stage].permanent;
        o.permanent = !means_452(stage, reply);
    } else if (smtp_reply_is_transient(reply)) {
        o.blame = reply->code == 421 && stage != STAGE_CONTENT ? BLAME_HOST : blames[stage].transient;
    } else {
        o.reason = REASON_PROTOCOL;
        o.blame = blames[stage].transient;
    }
    if (o.reason == REASON_STARTTLS_REFUSED)
        (void)snprintf(o.code, sizeof o.code, "%s", reason_row(o.reason)->temporary);
    else
        set_code(&o);
    if (means_452(stage, reply))
        o.code[0] = '4';
    return o;
}

struct outcome trouble_of_silence(enum stage stage, enum err e, struct str why)
{
    struct outcome o = {.reason = e == ERR_MALFORMED ? REASON_PROTOCOL : REASON_CONNECTION_LOST, .text = why};
    /* after the content was sent it may have been accepted: another host would get a second copy for sure */
    o.blame = stage == STAGE_CONTENT ? BLAME_MESSAGE : BLAME_HOST;
    set_code(&o);
    return o;
}

struct outcome trouble_of_reason(enum blame blame, enum reason reason, struct str text)
{
    struct outcome o = {.blame = blame, .reason = reason, .text = text};
    set_code(&o);
    return o;
}

struct outcome trouble_of_plan(enum plan_verdict verdict, const struct policy_trouble *trouble,
                               struct arena *a)
{
    struct buf text = {0};
    policy_trouble_describe(trouble, &text);
    struct outcome o = {.blame = BLAME_DOMAIN,
                        .reason = trouble->reason,
                        .permanent = verdict == PLAN_BOUNCE,
                        .text = arena_str(a, buf_str(&text))};
    buf_release(&text);
    set_code(&o);
    return o;
}

struct outcome trouble_of_dane(const struct dane_verdict *verdict, struct arena *a)
{
    static const enum reason reasons[] = {
        [DANE_NO_MATCH] = REASON_TLSA_NO_MATCH,
        [DANE_TA_NOT_IN_CHAIN] = REASON_TLSA_TA_NOT_IN_CHAIN,
        [DANE_CHAIN_INVALID] = REASON_TLSA_CHAIN_INVALID,
        [DANE_EXPIRED] = REASON_CERTIFICATE_EXPIRED,
        [DANE_NOT_YET_VALID] = REASON_CERTIFICATE_NOT_YET_VALID,
        [DANE_HOST_MISMATCH] = REASON_CERTIFICATE_HOST_MISMATCH,
        [DANE_UNUSABLE] = REASON_TLSA_UNUSABLE,
    };
    ENSURE(!verdict->match && reasons[verdict->reason] != REASON_NONE);
    return trouble_of_reason(BLAME_HOST, reasons[verdict->reason], arena_str(a, str_of(verdict->text)));
}

enum verdict trouble_verdict(const struct outcome *o)
{
    switch (o->blame) {
    case BLAME_NOBODY:
        return VERDICT_DONE;
    case BLAME_HOST:
        return VERDICT_NEXT_HOST;
    case BLAME_DOMAIN:
    case BLAME_MESSAGE:
    case BLAME_RECIPIENT:
        return o->permanent && !reason_row(o->reason)->is_security ? VERDICT_BOUNCE : VERDICT_RETRY;
    case BLAME_US:
        break;
    }
    return VERDICT_RETRY;
}

const char *trouble_queued_code(const struct outcome *o)
{
    return o->code[0] == '4' ? o->code : reason_row(o->reason)->temporary;
}

const char *trouble_final_code(const struct outcome *o, bool expired)
{
    if (!expired && o->code[0] == '5')
        return o->code;
    if (expired && o->reason == REASON_REFUSED)
        return reason_row(REASON_EXPIRED)->final;
    return reason_row(o->reason)->final;
}
