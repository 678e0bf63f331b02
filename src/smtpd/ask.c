#include "smtpd/ask.h"

enum {
    ANSWERS_MAX = 100000,
    CALLS_MAX = 10,  /* at one mailbox host at a time */
    REST_MS = 10000, /* of one that cannot be reached */
};

struct answer_kept {
    bool exists;
    int64_t until;
};

/* One mailbox host; there are as many as the domains name. */
struct host {
    unsigned calls;
    int64_t rests_until;
};

struct ask {
    struct ask_caller caller;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t call_ended;
    struct lru answers;
    struct map hosts;
};

enum ask_answer ask_judge(const struct smtp_reply *reply)
{
    const uint16_t *status = reply->status;
    if (smtp_reply_is_good(reply))
        return ASK_EXISTS;
    if (!smtp_reply_is_permanent(reply) ||
        reply->code == 552) /* RFC 5321 section 4.5.3.1.10: that one may pass */
        return ASK_UNSURE;
    if (!status[0]) /* 551 and 553 are about the address too; 554 and others may be about us */
        return reply->code == 550 || reply->code == 551 || reply->code == 553 ? ASK_UNKNOWN : ASK_UNSURE;
    /* RFC 3463: x.1.1 to x.1.3, x.1.6 and x.1.10 are about the recipient, x.2.1 is a mailbox that is closed;
     * Exchange says 5.4.1 to recipients that its directory does not have. x.7 is about us, or our set-up. */
    bool about_address = status[1] == 1 && status[2] != 7 && status[2] != 8;
    bool is_closed = status[1] == 2 && status[2] == 1;
    bool exchange = status[1] == 4 && status[2] == 1;
    return about_address || is_closed || exchange ? ASK_UNKNOWN : ASK_UNSURE;
}

struct ask *ask_new(const struct ask_caller *caller)
{
    struct ask *k = must_alloc(calloc(1, sizeof *k));
    k->caller = *caller;
    (void)pthread_mutex_init(&k->lock, NULL);
    thread_cond_init(&k->call_ended);
    lru_init(&k->answers, ANSWERS_MAX, free);
    return k;
}

void ask_free(struct ask *k)
{
    struct str key;
    void *host;
    if (!k)
        return;
    for (size_t at = 0; map_next(&k->hosts, &at, &key, &host);)
        free(host);
    map_release(&k->hosts);
    lru_release(&k->answers);
    (void)pthread_cond_destroy(&k->call_ended);
    (void)pthread_mutex_destroy(&k->lock);
    free(k);
}

/* Where a domain moves to another mailbox host, what the old one said is not asked for any more. */
static struct str host_key(struct arena *a, const struct dir_domain *d)
{
    return arena_printf(a, "%s %s %.*s %u", dir_protocol_name(d->protocol), dir_tls_name(d->tls),
                        STR_ARG(d->host), d->port);
}

static bool find_locked(struct ask *k, struct str key, enum ask_answer *out)
{
    const struct answer_kept *kept = lru_get(&k->answers, key);
    if (!kept || kept->until <= clock_mono())
        return false;
    *out = kept->exists ? ASK_EXISTS : ASK_UNKNOWN;
    return true;
}

static void keep_locked(struct ask *k, const struct conf *conf, struct str key, enum ask_answer answer)
{
    int64_t ms = answer == ASK_EXISTS ? conf->ask_keep_known : conf->ask_keep_unknown;
    if (answer == ASK_UNSURE || ms == 0)
        return;
    struct answer_kept *kept = must_alloc(malloc(sizeof *kept));
    *kept = (struct answer_kept){.exists = answer == ASK_EXISTS, .until = clock_mono() + ms};
    lru_put(&k->answers, key, kept);
}

static struct host *host_locked(struct ask *k, struct str key)
{
    struct host *h = map_get(&k->hosts, key);
    if (!h) {
        h = must_alloc(calloc(1, sizeof *h));
        (void)map_put(&k->hosts, key, h);
    }
    return h;
}

/* A place among the host's calls; false: it rests, or the others take too long. */
static bool take_place_locked(struct ask *k, struct host *h, const struct conf *conf)
{
    deadline until = deadline_in(conf->ask_timeout);
    bool in_time = true;
    while (h->calls >= CALLS_MAX && in_time)
        in_time = thread_cond_wait(&k->call_ended, &k->lock, until);
    if (h->calls >= CALLS_MAX || h->rests_until > clock_mono())
        return false;
    h->calls++;
    return true;
}

static enum ask_answer call(struct ask *k, const struct ask_question *q, struct arena *a, enum err *e)
{
    struct smtp_reply reply = {0};
    struct buf why = {0};
    enum ask_answer answer = ASK_UNSURE;
    *e = k->caller.call(k->caller.ctx, q, a, &reply, &why);
    if (!*e)
        answer = ask_judge(&reply);
    if (!*e)
        smtp_reply_describe(&reply, &why);
    if (answer == ASK_UNSURE)
        log_event(LOG_WARN, "recipient-unverified", LOG_STR("domain", q->domain->domain),
                  LOG_STR("host", q->domain->host), LOG_STR("why", buf_str(&why)));
    buf_release(&why);
    return answer;
}

enum ask_answer ask_recipient(struct ask *k, const struct ask_question *q, struct arena *a)
{
    struct str at = host_key(a, q->domain);
    struct str key = arena_printf(a, "%.*s %.*s", STR_ARG(at), STR_ARG(q->address));
    enum ask_answer answer = ASK_UNSURE;
    (void)pthread_mutex_lock(&k->lock);
    bool known = find_locked(k, key, &answer);
    struct host *h = known ? NULL : host_locked(k, at);
    bool has_place = h && take_place_locked(k, h, q->conf);
    (void)pthread_mutex_unlock(&k->lock);
    if (!has_place)
        return answer;

    enum err e = OK;
    answer = call(k, q, a, &e);
    (void)pthread_mutex_lock(&k->lock);
    keep_locked(k, q->conf, key, answer);
    if (e && e != ERR_REFUSED)
        h->rests_until = clock_mono() + REST_MS;
    h->calls--;
    (void)pthread_cond_broadcast(&k->call_ended);
    (void)pthread_mutex_unlock(&k->lock);
    return answer;
}
