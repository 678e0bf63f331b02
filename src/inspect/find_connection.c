/* Families EC, and those of ET and EK that only a connection shows. */
#include "dane/dane.h"
#include "inspect/find_priv.h"

static const char *algorithm_word(enum dial_algorithm a)
{
    return a == DIAL_RSA ? "RSA" : "ECDSA";
}

static struct str dial_text(struct finder *x, const struct facts_dial *d)
{
    char text[ADDR_TEXT];
    return arena_printf(x->a, "%.*s %s", STR_ARG(x->f->expected), addr_ip_format(&d->to, text));
}

static struct str shown_text(struct finder *x, const struct facts_dial *d)
{
    struct buf hex = {0};
    hex_append(&hex, d->tls.peer_spki_sha256, sizeof d->tls.peer_spki_sha256);
    struct str text =
        arena_printf(x->a, "it shows an %s key with SHA-256 %s", algorithm_word(d->shown), buf_cstr(&hex));
    buf_release(&hex);
    return text;
}

static void find_failure(struct finder *x, const struct facts_dial *d)
{
    static const enum domain_kind kinds[] = {
        [DIAL_CONNECT] = FIND_CONNECT,      [DIAL_GREETING] = FIND_GREETING,
        [DIAL_HELLO] = FIND_GREETING,       [DIAL_NO_STARTTLS] = FIND_NO_STARTTLS,
        [DIAL_STARTTLS] = FIND_NO_STARTTLS, [DIAL_HANDSHAKE] = FIND_HANDSHAKE};
    if (d->asked == DIAL_ANY) /* a second connection only asks whether there is another key */
        find_add(x, kinds[d->end], dial_text(x, d), d->said);
}

/* Another connection to the same address that a record vouches for. */
static bool other_matches(const struct facts *f, const struct facts_dial *d)
{
    for (size_t i = 0; i < f->dial_count; i++) {
        const struct facts_dial *o = &f->dials[i];
        if (o != d && addr_equal_ip(&o->to, &d->to) && o->end == DIAL_DONE && o->shown != d->shown &&
            facts_dial_matches(f, o))
            return true;
    }
    return false;
}

/* G5: each combination that is published must match alone. */
static void find_combinations(struct finder *x, const struct facts_dial *d)
{
    const struct facts *f = x->f;
    for (size_t i = 0; i < f->tlsa.n; i++) {
        const struct tlsa *t = &f->tlsa.records[i].tlsa;
        bool first = true, matched = false;
        for (size_t k = 0; k < f->tlsa.n; k++) {
            const struct tlsa *o = &f->tlsa.records[k].tlsa;
            bool same = o->usage == t->usage && o->selector == t->selector && o->mtype == t->mtype;
            first = first && !(same && k < i);
            matched = matched || (same && d->matched[k]);
        }
        if (first && !matched && dane_tlsa_fault(t) == DANE_TLSA_USABLE)
            find_add(x, FIND_TLSA_COMBINATION, dial_text(x, d),
                     arena_printf(x->a, "%u %u %u", t->usage, t->selector, t->mtype));
    }
}

static void find_match(struct finder *x, const struct facts_dial *d)
{
    const struct facts *f = x->f;
    if (!facts_tlsa_usable(f))
        return;
    if (facts_dial_matches(f, d))
        find_combinations(x, d);
    else
        find_add(x, other_matches(f, d) ? FIND_TLSA_ALGORITHM : FIND_TLSA_MISMATCH, dial_text(x, d),
                 shown_text(x, d));
}

static void find_key(struct finder *x, const struct facts_dial *d)
{
    const struct facts *f = x->f;
    bool active = false, known = !f->key_count || !d->tls.has_peer_certificate;
    for (size_t i = 0; i < f->key_count; i++) {
        active |= f->keys[i].is_active;
        known = known || (f->keys[i].is_active && memcmp(f->keys[i].spki, d->tls.peer_spki_sha256, 32) == 0);
    }
    if (active && !known)
        find_add(x, FIND_KEY_UNKNOWN, dial_text(x, d), shown_text(x, d));
}

static void find_certificate(struct finder *x, const struct facts_dial *d)
{
    const struct facts *f = x->f;
    char when[CLOCK_TEXT];
    const char *fault = facts_certificate_fault(f, d);
    if (f->sts.state == STS_VALID && f->sts.policy.mode == STS_ENFORCE) {
        if (fault)
            find_add(x, FIND_CERTIFICATE_STS, dial_text(x, d),
                     arena_printf(x->a, "a certificate that %s", fault));
        return;
    }
    clock_iso(d->not_after_ms, when);
    if (d->not_after_ms <= f->now_ms)
        find_add(x, FIND_CERTIFICATE_EXPIRED, dial_text(x, d), arena_printf(x->a, "at %.19sZ", when));
    if (f->sts.state == STS_VALID && !(d->is_named && d->is_trusted))
        find_add(x, FIND_CERTIFICATE_NAME, dial_text(x, d),
                 d->is_named ? STR("of no known authority") : STR("for another name"));
}

/* Against the first address that shows the same algorithm. */
static void find_differing(struct finder *x, size_t at)
{
    const struct facts_dial *d = &x->f->dials[at];
    for (size_t i = 0; i < at; i++) {
        const struct facts_dial *o = &x->f->dials[i];
        if (o->end != DIAL_DONE || o->shown != d->shown)
            continue;
        if (memcmp(o->tls.peer_spki_sha256, d->tls.peer_spki_sha256, 32) != 0)
            find_add(x, FIND_KEYS_DIFFER, dial_text(x, d), shown_text(x, d));
        return;
    }
}

void find_connections(struct finder *x)
{
    const struct facts *f = x->f;
    for (size_t i = 0; i < f->dial_count; i++) {
        const struct facts_dial *d = &f->dials[i];
        if (d->end == DIAL_NOT_MADE)
            continue;
        if (d->end != DIAL_DONE) {
            find_failure(x, d);
            continue;
        }
        find_match(x, d);
        find_key(x, d);
        find_differing(x, i);
        if (d->asked == DIAL_ANY)
            find_certificate(x, d);
        if (d->rcpt >= 400)
            find_add(x, FIND_DOMAIN_REFUSED, dial_text(x, d), d->rcpt_said);
    }
}
