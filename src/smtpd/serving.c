#include "smtpd/serving.h"

enum { TELL_EVERY_MS = 10000 };

static void add(struct serving_list *l, const struct serving_pair *p)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].key_set == p->key_set && l->v[i].pair == p->pair)
            return;
    if (l->n == l->room) {
        l->room = l->room ? 2 * l->room : 8;
        l->v = must_alloc(realloc(l->v, l->room * sizeof *l->v));
    }
    l->v[l->n++] = *p;
}

static void release(struct serving_list *l)
{
    free(l->v);
    *l = (struct serving_list){0};
}

void serving_release(struct serving *s)
{
    release(&s->now);
    release(&s->before);
    *s = (struct serving){0};
}

void serving_change(struct serving *s, uint64_t epoch, uint64_t mark, struct serving_list *now)
{
    for (size_t i = 0; i < s->now.n; i++)
        add(&s->before, &s->now.v[i]);
    release(&s->now);
    s->now = *now;
    *now = (struct serving_list){0};
    s->epoch = epoch;
    s->mark = mark;
    s->is_known = s->is_news = true;
    s->is_settled = false;
}

void serving_settle(struct serving *s)
{
    if (s->is_settled)
        return;
    s->is_settled = true;
    s->is_news |= s->before.n > 0;
    release(&s->before);
}

bool serving_is_due(const struct serving *s, int64_t now_ms)
{
    return s->is_known && (s->is_news || now_ms - s->told_ms >= TELL_EVERY_MS);
}

void serving_told(struct serving *s, int64_t now_ms)
{
    s->is_news = false;
    s->told_ms = now_ms;
}

static json_t *hex(const uint8_t digest[32])
{
    struct buf b = {0};
    hex_append(&b, digest, 32);
    json_t *text = json_stringn(b.p, b.n);
    buf_release(&b);
    return text;
}

static void append(json_t *to, const struct serving_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct serving_pair *p = &l->v[i];
        (void)json_array_append_new(
            to, json_pack("{s:I, s:I, s:s, s:o, s:o}", "key_set", (json_int_t)p->key_set, "pair",
                          (json_int_t)p->pair, "algorithm", p->is_rsa ? "rsa" : "ecdsa", "spki_sha256",
                          hex(p->spki_sha256), "issuer_spki_sha256",
                          p->has_issuer_key ? hex(p->issuer_spki_sha256) : json_null()));
    }
}

json_t *serving_request(const struct serving *s, struct str edge)
{
    struct serving_list all = {0};
    json_t *serves = json_array();
    for (size_t i = 0; i < s->now.n; i++)
        add(&all, &s->now.v[i]);
    for (size_t i = 0; i < s->before.n; i++)
        add(&all, &s->before.v[i]);
    append(serves, &all);
    release(&all);
    return json_pack("{s:s, s:s%, s:I, s:o}", "verb", "edge.confirm", "edge", edge.p, edge.n, "key_epoch",
                     (json_int_t)s->epoch, "serves", serves);
}

/* A pair that cannot be parsed is not served: the server passes it over in the same way. */
static void read_pair(uint64_t key_set, const struct tls_pair *pair, struct arena *a,
                      struct serving_list *out)
{
    struct tls_pair_facts facts;
    struct buf why = {0};
    if (tls_pair_inspect(pair, a, &facts, &why)) {
        log_event(LOG_ERROR, "certificate-damaged", LOG_NUM("key_set", key_set),
                  LOG_TEXT("why", buf_cstr(&why)));
    } else {
        struct serving_pair p = {.key_set = key_set,
                                 .pair = pair->id,
                                 .is_rsa = strcmp(facts.algorithm, "RSA") == 0,
                                 .has_issuer_key = facts.has_issuer_key};
        memcpy(p.spki_sha256, facts.spki_sha256, sizeof p.spki_sha256);
        memcpy(p.issuer_spki_sha256, facts.issuer_spki_sha256, sizeof p.issuer_spki_sha256);
        add(out, &p);
    }
    buf_release(&why);
}

enum err serving_read(struct keystore *k, uint64_t *epoch, struct serving_list *out, struct buf *why)
{
    struct keystore_view view = {0};
    struct arena a = {0};
    uint64_t *ids;
    *out = (struct serving_list){0};
    enum err e = keystore_begin(k, &view, why);
    if (e)
        return e;
    *epoch = keystore_epoch(&view);
    size_t n = keystore_managed(&view, &a, &ids);
    for (size_t i = 0; i < n; i++) {
        struct tls_identity identity;
        if (keystore_set(&view, &a, ids[i], &identity))
            for (size_t p = 0; p < identity.n; p++)
                read_pair(ids[i], &identity.pair[p], &a, out);
    }
    keystore_end(&view);
    arena_release(&a);
    return OK;
}

enum err serving_epoch(struct keystore *k, uint64_t *epoch, struct buf *why)
{
    struct keystore_view view = {0};
    enum err e = keystore_begin(k, &view, why);
    if (!e)
        *epoch = keystore_epoch(&view);
    keystore_end(&view);
    return e;
}
