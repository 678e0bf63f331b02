#include "deliver/answers.h"

struct kept {
    struct arena arena;
    struct dns_answer answer;
    int64_t until; /* mono */
};

void answers_init(struct answers *a, const struct dns_source *behind)
{
    *a = (struct answers){.behind = *behind};
    ENSURE(pthread_mutex_init(&a->mutex, NULL) == 0);
}

static void kept_free(struct kept *k)
{
    if (!k)
        return;
    arena_release(&k->arena);
    free(k);
}

/* Lock held. */
static void forget_all(struct answers *a)
{
    struct str key;
    void *value;
    for (size_t at = 0; map_next(&a->by_question, &at, &key, &value);)
        kept_free(value);
    map_release(&a->by_question);
    a->by_question = (struct map){0};
}

void answers_release(struct answers *a)
{
    forget_all(a);
    pthread_mutex_destroy(&a->mutex);
}

void answers_forget(struct answers *a)
{
    pthread_mutex_lock(&a->mutex);
    forget_all(a);
    pthread_mutex_unlock(&a->mutex);
}

static void copy_record(struct arena *to, struct dns_record *r)
{
    switch (r->type) {
    case DNS_A:
    case DNS_AAAA:
        break;
    case DNS_MX:
        r->mx.host = arena_str(to, r->mx.host);
        break;
    case DNS_TLSA:
        r->tlsa.data = arena_str(to, r->tlsa.data);
        break;
    case DNS_CNAME:
    case DNS_NS:
        r->name = arena_str(to, r->name);
        break;
    case DNS_TXT:
        r->txt = arena_str(to, r->txt);
        break;
    case DNS_SOA:
        r->soa.mname = arena_str(to, r->soa.mname);
        r->soa.rname = arena_str(to, r->soa.rname);
        break;
    case DNS_DS:
    case DNS_DNSKEY:
        r->opaque = arena_str(to, r->opaque);
        break;
    }
}

static void copy_answer(struct arena *to, const struct dns_answer *from, struct dns_answer *out)
{
    *out = *from;
    out->qname = arena_str(to, from->qname);
    out->expanded = arena_str(to, from->expanded);
    out->ede_text = arena_str(to, from->ede_text);
    out->records = ARENA_ARRAY(to, struct dns_record, from->n);
    for (size_t i = 0; i < from->n; i++) {
        out->records[i] = from->records[i];
        copy_record(to, &out->records[i]);
    }
}

enum { KEY_MAX = 512 };

/* Type, blank, name; empty when the name is no name. */
static struct str key_of(const struct dns_question *q, char out[KEY_MAX])
{
    int n = snprintf(out, KEY_MAX, "%d %.*s", (int)q->type, STR_ARG(q->name));
    return n < KEY_MAX ? str_make(out, (size_t)n) : STR_NONE;
}

static bool recall(struct answers *a, struct arena *to, const struct dns_question *q, struct dns_answer *out)
{
    char text[KEY_MAX];
    bool found = false;
    struct str key = key_of(q, text);
    pthread_mutex_lock(&a->mutex);
    const struct kept *k = map_get(&a->by_question, key);
    if (k && k->until > clock_mono()) {
        copy_answer(to, &k->answer, out);
        found = true;
    }
    pthread_mutex_unlock(&a->mutex);
    return found;
}

static void remember(struct answers *a, const struct dns_question *q, const struct dns_answer *answer)
{
    if (answer->status == DNS_ERROR || answer->ttl == 0)
        return;
    char text[KEY_MAX];
    struct str key = key_of(q, text);
    if (!key.n)
        return;
    int64_t ms = (int64_t)answer->ttl * 1000;
    struct kept *k = must_alloc(calloc(1, sizeof *k));
    k->until = clock_mono() + (ms < ANSWERS_MOST ? ms : ANSWERS_MOST);
    copy_answer(&k->arena, answer, &k->answer);
    pthread_mutex_lock(&a->mutex);
    if (a->by_question.count >= ANSWERS_COUNT)
        forget_all(a);
    kept_free(map_put(&a->by_question, key, k));
    pthread_mutex_unlock(&a->mutex);
}

static void ask(void *ctx, struct arena *to, const struct dns_question *questions, size_t n, deadline until,
                struct dns_answer *out)
{
    struct answers *a = ctx;
    struct dns_question *missing = ARENA_ARRAY(to, struct dns_question, n);
    struct dns_answer *fresh = ARENA_ARRAY(to, struct dns_answer, n);
    size_t *place = ARENA_ARRAY(to, size_t, n);
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (recall(a, to, &questions[i], &out[i]))
            continue;
        place[count] = i;
        missing[count++] = questions[i];
    }
    if (count == 0)
        return;
    a->behind.ask(a->behind.ctx, to, missing, count, until, fresh);
    for (size_t i = 0; i < count; i++) {
        remember(a, &missing[i], &fresh[i]);
        out[place[i]] = fresh[i];
    }
}

struct dns_source answers_source(struct answers *a)
{
    return (struct dns_source){a, ask};
}
