#include "dns/message.h"

#include "base/codec.h"
#include "dns/rdata.h"
#include "dns/wire.h"

enum {
    FLAG_QR = 0x8000,
    FLAG_OPCODE = 0x7800,
    FLAG_TC = 0x0200,
    FLAG_RD = 0x0100,
    FLAG_AD = 0x0020,
    FLAG_CD = 0x0010,
    EDNS_DO = 0x8000,
    OPTION_EDE = 15,
    RCODE_NOERROR = 0,
    RCODE_FORMERR = 1,
    RCODE_SERVFAIL = 2,
    RCODE_NXDOMAIN = 3,
    RCODE_NOTIMP = 4,
    RCODE_REFUSED = 5,
};

static unsigned query_flags(enum dns_check check)
{
    switch (check) {
    case DNS_VALIDATED:
        return FLAG_RD | FLAG_AD;
    case DNS_CHECKING_DISABLED:
        return FLAG_RD | FLAG_AD | FLAG_CD;
    case DNS_AUTHORITATIVE:
        break;
    }
    return 0;
}

bool dns_query_write(struct buf *out, uint16_t id, const struct dns_question *question, enum dns_check check)
{
    buf_add_u16(out, id);
    buf_add_u16(out, (uint16_t)query_flags(check));
    buf_add_u16(out, 1);
    buf_add_u16(out, 0);
    buf_add_u16(out, 0);
    buf_add_u16(out, 1);
    if (!dns_write_name(out, question->name))
        return false;
    buf_add_u16(out, (uint16_t)question->type);
    buf_add_u16(out, DNS_CLASS_IN);
    buf_add_char(out, 0); /* OPT at the root (RFC 6891 6.1.2) */
    buf_add_u16(out, DNS_TYPE_OPT);
    buf_add_u16(out, DNS_EDNS_SIZE);
    buf_add_u32(out, EDNS_DO);
    buf_add_u16(out, 0);
    return true;
}

/* What the walk over a message found. */
struct found {
    struct arena *a;
    const struct dns_question *question;
    unsigned rcode;
    bool authenticated;
    size_t answers_at, answer_count; /* where the answer section starts */
    bool has_soa;
    uint32_t denial_ttl;
    bool has_opt;
    uint16_t ede;
    struct str ede_text;
};

/* Codes of RFC 8914 and its registry that say: validation was tried and failed. */
static bool ede_means_bogus(uint16_t code)
{
    return (code >= 6 && code <= 12) || code == 25;
}

static void read_opt(struct found *f, struct dns_rr *rr)
{
    struct dns_reader *r = &rr->rdata;
    if (f->has_opt || rr->owner.n)
        r->bad = true;
    f->has_opt = true;
    f->rcode |= (rr->ttl >> 24) << 4;
    while (!r->bad && r->at < r->end) {
        uint16_t code = dns_read_u16(r);
        struct str value = dns_read_bytes(r, dns_read_u16(r));
        if (code != OPTION_EDE || value.n < 2)
            continue;
        uint16_t ede = get_u16(value.p);
        if (f->ede == DNS_NO_EDE || (ede_means_bogus(ede) && !ede_means_bogus(f->ede))) {
            f->ede = ede;
            f->ede_text = str_from(value, 2);
        }
    }
}

static void read_denial(struct found *f, const struct dns_rr *rr)
{
    struct dns_record soa;
    if (rr->type != DNS_SOA || rr->class != DNS_CLASS_IN || f->has_soa || !dns_rdata_parse(f->a, rr, &soa))
        return;
    f->has_soa = true;
    f->denial_ttl = rr->ttl < soa.soa.minimum ? rr->ttl : soa.soa.minimum;
}

/* Every record of every section must be well-formed in its frame. */
static bool walk(struct found *f, struct dns_reader *r, unsigned answers, unsigned authority,
                 unsigned additional)
{
    struct dns_rr rr;
    f->answers_at = r->at;
    f->answer_count = answers;
    for (unsigned i = 0; i < answers; i++)
        if (!dns_read_rr(r, &rr))
            return false;
    for (unsigned i = 0; i < authority; i++) {
        if (!dns_read_rr(r, &rr))
            return false;
        read_denial(f, &rr);
    }
    for (unsigned i = 0; i < additional; i++) {
        if (!dns_read_rr(r, &rr))
            return false;
        if (rr.type == DNS_TYPE_OPT)
            read_opt(f, &rr);
        if (rr.rdata.bad)
            return false;
    }
    return r->at == r->end;
}

static bool is_at(const struct dns_rr *rr, struct str owner, unsigned type)
{
    return rr->type == type && rr->class == DNS_CLASS_IN &&
           str_equal(str_make(rr->owner.p, rr->owner.n), owner);
}

static void lower_ttl(struct dns_answer *out, uint32_t ttl)
{
    if (ttl < out->ttl)
        out->ttl = ttl;
}

static struct dns_reader answers_of(const struct found *f, const struct dns_reader *whole)
{
    struct dns_reader r = *whole;
    r.at = f->answers_at;
    return r;
}

/* One step along the chain: moves out->expanded. Two different targets at one name are malformed. */
static bool follow(const struct found *f, const struct dns_reader *whole, struct dns_answer *out, bool *moved)
{
    struct dns_reader r = answers_of(f, whole);
    struct dns_rr rr;
    struct str next = STR_NONE;
    *moved = false;
    for (size_t i = 0; i < f->answer_count && dns_read_rr(&r, &rr); i++) {
        struct dns_record alias;
        if (!is_at(&rr, out->expanded, DNS_CNAME))
            continue;
        if (!dns_rdata_parse(f->a, &rr, &alias) || (*moved && !str_equal(alias.name, next)))
            return false;
        next = alias.name;
        *moved = true;
        lower_ttl(out, rr.ttl);
    }
    if (*moved)
        out->expanded = next;
    return true;
}

/* A chain of at most DNS_ALIAS_MAX; a circle is longer than that. */
static enum dns_error follow_all(const struct found *f, const struct dns_reader *whole,
                                 struct dns_answer *out)
{
    if (f->question->type == DNS_CNAME)
        return DNS_ERROR_NONE;
    for (unsigned hops = 0;; hops++) {
        bool moved;
        if (!follow(f, whole, out, &moved))
            return DNS_ERROR_MALFORMED;
        if (!moved)
            return DNS_ERROR_NONE;
        if (hops == DNS_ALIAS_MAX)
            return DNS_ERROR_ALIAS_LOOP;
    }
}

/* The records of the type asked at the end of the chain. */
static bool collect(const struct found *f, const struct dns_reader *whole, struct dns_answer *out)
{
    struct dns_reader r = answers_of(f, whole);
    struct dns_rr rr;
    size_t count = 0;
    for (size_t i = 0; i < f->answer_count && dns_read_rr(&r, &rr); i++)
        count += is_at(&rr, out->expanded, f->question->type);
    if (count == 0)
        return true;
    out->records = ARENA_ARRAY(f->a, struct dns_record, count);
    r = answers_of(f, whole);
    for (size_t i = 0; i < f->answer_count && dns_read_rr(&r, &rr); i++) {
        if (!is_at(&rr, out->expanded, f->question->type))
            continue;
        if (!dns_rdata_parse(f->a, &rr, &out->records[out->n]))
            return false;
        out->n++;
        lower_ttl(out, rr.ttl);
    }
    return true;
}

static enum dns_error error_of_rcode(unsigned rcode)
{
    switch (rcode) {
    case RCODE_SERVFAIL:
        return DNS_ERROR_SERVFAIL;
    case RCODE_REFUSED:
        return DNS_ERROR_REFUSED;
    case RCODE_NOTIMP:
        return DNS_ERROR_NOTIMP;
    case RCODE_FORMERR:
        return DNS_ERROR_FORMERR;
    default:
        return DNS_ERROR_OTHER;
    }
}

static enum dns_error judge(const struct found *f, const struct dns_reader *whole, struct dns_answer *out)
{
    /* Also with rcode 0: a permissive validator may hand out data that it found bogus. */
    bool answered = f->rcode == RCODE_NOERROR || f->rcode == RCODE_NXDOMAIN;
    if (ede_means_bogus(f->ede) && (answered || f->rcode == RCODE_SERVFAIL))
        return DNS_ERROR_BOGUS;
    if (!answered)
        return error_of_rcode(f->rcode);
    out->ttl = UINT32_MAX;
    enum dns_error error = follow_all(f, whole, out);
    if (error != DNS_ERROR_NONE)
        return error;
    if (!collect(f, whole, out) || (out->n && f->rcode == RCODE_NXDOMAIN))
        return DNS_ERROR_MALFORMED;
    if (out->n == 0)
        lower_ttl(out, f->has_soa ? f->denial_ttl : 0);
    out->status = out->n ? DNS_DATA : f->rcode == RCODE_NXDOMAIN ? DNS_NXDOMAIN : DNS_NODATA;
    out->security = f->authenticated ? DNS_SECURE : DNS_INSECURE;
    return DNS_ERROR_NONE;
}

void dns_answer_fail(struct arena *a, const struct dns_question *question, enum dns_error error,
                     struct str text, struct dns_answer *out)
{
    struct str name = arena_str(a, question->name);
    *out = (struct dns_answer){
        .type = question->type,
        .qname = name,
        .expanded = name,
        .status = DNS_ERROR,
        .error = error,
        .ede = DNS_NO_EDE,
        .ede_text = arena_str(a, text),
    };
}

/* The question must come back as it was; only an error may come without (RFC 1035 7.3 lets a server that
 * could not read it leave it out). */
static bool is_our_question(struct dns_reader *r, unsigned count, unsigned rcode,
                            const struct dns_question *q)
{
    if (count == 0)
        return rcode != RCODE_NOERROR && rcode != RCODE_NXDOMAIN;
    if (count != 1)
        return false;
    struct dns_name_text name;
    dns_read_name(r, &name);
    unsigned type = dns_read_u16(r), class = dns_read_u16(r);
    return !r->bad && type == q->type && class == DNS_CLASS_IN &&
           str_equal(str_make(name.p, name.n), q->name);
}

enum dns_parsed dns_answer_parse(struct arena *a, struct str message, uint16_t id,
                                 const struct dns_question *question, struct dns_answer *out)
{
    struct dns_reader r = {.message = (const uint8_t *)message.p, .end = message.n};
    unsigned got_id = dns_read_u16(&r), flags = dns_read_u16(&r);
    unsigned questions = dns_read_u16(&r), answers = dns_read_u16(&r);
    unsigned authority = dns_read_u16(&r), additional = dns_read_u16(&r);
    if (r.bad || got_id != id || !(flags & FLAG_QR) || (flags & FLAG_OPCODE))
        return DNS_NOT_OURS;
    struct found f = {.a = a,
                      .question = question,
                      .rcode = flags & 0xf,
                      .authenticated = flags & FLAG_AD,
                      .ede = DNS_NO_EDE};
    if (!is_our_question(&r, questions, f.rcode, question))
        return DNS_NOT_OURS;
    if (flags & FLAG_TC)
        return DNS_TRUNCATED;
    dns_answer_fail(a, question, DNS_ERROR_MALFORMED, STR_NONE, out);
    if (!walk(&f, &r, answers, authority, additional))
        return DNS_PARSED;
    out->ede = f.ede;
    out->ede_text = arena_str(a, f.ede_text);
    out->error = judge(&f, &r, out);
    if (out->error != DNS_ERROR_NONE) {
        out->n = 0;
        out->records = NULL;
        out->ttl = 0;
    }
    return DNS_PARSED;
}
