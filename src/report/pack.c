/* A report as octets, on its way out of the process that read it. */
#include "dns/name.h"
#include "report/tlsrpt.h"

void tlsrpt_pack(const struct tlsrpt *r, struct buf *out)
{
    pack_str(out, r->organization);
    pack_str(out, r->report_id);
    buf_add_u64(out, (uint64_t)r->begin_ms);
    buf_add_u64(out, (uint64_t)r->end_ms);
    buf_add_u32(out, (uint32_t)r->npolicy);
    for (size_t i = 0; i < r->npolicy; i++) {
        const struct tlsrpt_policy *p = &r->policy[i];
        buf_add_char(out, (char)p->type);
        pack_str(out, p->domain);
        buf_add_u64(out, (uint64_t)p->successes);
        buf_add_u32(out, (uint32_t)p->nfailure);
        for (size_t k = 0; k < p->nfailure; k++) {
            buf_add_char(out, (char)p->failure[k].result);
            pack_str(out, p->failure[k].mx_host);
            buf_add_u64(out, (uint64_t)p->failure[k].sessions);
        }
    }
}

#define SESSIONS_MAX (TLSRPT_COUNT_MAX * (int64_t)(TLSRPT_FAILURES_MAX + TLSRPT_POLICIES_MAX))

struct unpacker {
    struct unpack in;
    struct arena *a;
    size_t details;
    int64_t sessions; /* of all, so that sums of them stay far from overflow */
};

static void refuse(struct unpacker *u)
{
    u->in.bad = true;
}

static struct str take_text(struct unpacker *u)
{
    struct str s = unpack_str(&u->in);
    if (!s.n || s.n > TLSRPT_TEXT_MAX)
        refuse(u);
    for (size_t at = 0, n = 0; !u->in.bad && at < s.n; at += n)
        if ((n = str_utf8_length(str_from(s, at))) == 0 || (unsigned char)s.p[at] < ' ' || s.p[at] == 0x7f) {
            refuse(u);
            break;
        }
    return u->in.bad ? STR_NONE : arena_str(u->a, s);
}

static struct str take_name(struct unpacker *u)
{
    struct str s = unpack_str(&u->in), normal = STR_NONE;
    if (s.n && (s.n > DNS_NAME_MAX || dns_name_normalise(u->a, s, &normal) || !str_equal(s, normal)))
        refuse(u);
    return normal;
}

static int64_t take_number(struct unpacker *u, int64_t most)
{
    uint64_t n = unpack_u64(&u->in);
    if (n > (uint64_t)most)
        refuse(u);
    return u->in.bad ? 0 : (int64_t)n;
}

static unsigned take_choice(struct unpacker *u, unsigned last)
{
    unsigned n = unpack_u8(&u->in);
    if (n > last)
        refuse(u);
    return u->in.bad ? 0 : n;
}

/* Never more than `most`, and not more than the octets that are left can hold. */
static size_t take_size(struct unpacker *u, size_t most)
{
    size_t n = unpack_u32(&u->in);
    if (n > most || n > u->in.rest.n)
        refuse(u);
    return u->in.bad ? 0 : n;
}

static void take_policy(struct unpacker *u, struct tlsrpt_policy *p)
{
    p->type = (enum tlsrpt_type)take_choice(u, TLSRPT_NO_POLICY);
    p->domain = take_name(u);
    p->successes = take_number(u, TLSRPT_COUNT_MAX);
    p->nfailure = take_size(u, TLSRPT_FAILURES_MAX + 1);
    if (!p->domain.n || (u->details += p->nfailure) > TLSRPT_FAILURES_MAX + TLSRPT_POLICIES_MAX) {
        refuse(u);
        return;
    }
    p->failure = ARENA_ARRAY(u->a, struct tlsrpt_failure, p->nfailure ? p->nfailure : 1);
    for (size_t i = 0; !u->in.bad && i < p->nfailure; i++) {
        struct tlsrpt_failure *f = &p->failure[i];
        f->result = (enum tlsrpt_result)take_choice(u, TLSRPT_NOT_TOLD);
        f->mx_host = take_name(u);
        f->sessions = take_number(u, SESSIONS_MAX);
        p->failures += f->sessions;
        if ((u->sessions += f->sessions) > SESSIONS_MAX)
            refuse(u);
    }
}

enum err tlsrpt_unpack(struct str packed, struct arena *a, struct tlsrpt *out)
{
    struct unpacker u = {.in = {.rest = packed}, .a = a};
    *out = (struct tlsrpt){0};
    out->organization = take_text(&u);
    out->report_id = take_text(&u);
    out->begin_ms = take_number(&u, INT64_MAX);
    out->end_ms = take_number(&u, INT64_MAX);
    out->npolicy = take_size(&u, TLSRPT_POLICIES_MAX);
    out->policy = ARENA_ARRAY(a, struct tlsrpt_policy, out->npolicy ? out->npolicy : 1);
    for (size_t i = 0; !u.in.bad && i < out->npolicy; i++)
        take_policy(&u, &out->policy[i]);
    return u.in.bad || u.in.rest.n || !out->npolicy ? ERR_MALFORMED : OK;
}
