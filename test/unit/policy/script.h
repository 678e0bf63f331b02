/* Scripted DNS answers, one a line, ended by an empty line or the end:
 *     NAME TYPE STATE [>ALIAS-END] [DATA [, DATA]...]
 * STATE: secure | insecure (data), secure-nodata, insecure-nodata, secure-nxdomain, insecure-nxdomain, or an
 * error name
 * ("bogus", "servfail", ...). TLSA data: "U S M HEX" where HEX may be one of the words d32, e32, d64 for
 * digests of that length. Each question that the script does not answer is counted: an unexpected question is
 * a failure. */
#ifndef TEST_POLICY_SCRIPT_H
#define TEST_POLICY_SCRIPT_H

#include "base/base.h"
#include "dane/dane.h"
#include "dns/answer.h"

struct script {
    const char *text;
    char unexpected[512]; /* the first unexpected question */
    unsigned asked;
};

static enum dns_type script_type(struct str word)
{
#define X(name, number)                                                                                      \
    if (str_equal(word, STR(#name)))                                                                         \
        return DNS_##name;
    DNS_TYPE_TABLE(X)
#undef X
    ENSURE(!"type in script");
    return DNS_A;
}

static void script_state(struct str word, struct dns_answer *out)
{
    if (str_starts(word, STR("secure")))
        out->security = DNS_SECURE;
    if (str_equal(word, STR("secure")) || str_equal(word, STR("insecure")))
        out->status = DNS_DATA;
    else if (str_ends(word, STR("-nodata")))
        out->status = DNS_NODATA;
    else if (str_ends(word, STR("-nxdomain")))
        out->status = DNS_NXDOMAIN;
    else {
        out->status = DNS_ERROR;
#define X(name, text, sentence)                                                                              \
    if (str_equal(word, STR(text)))                                                                          \
        out->error = DNS_ERROR_##name;
        DNS_ERROR_TABLE(X)
#undef X
        ENSURE(out->error != DNS_ERROR_NONE);
    }
}

static struct tlsa script_tlsa(struct arena *a, struct str data)
{
    static const char digest[] = "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789ABCDEF";
    struct tlsa t = {0};
    uint32_t number[3];
    for (int i = 0; i < 3; i++)
        ENSURE(str_to_u32(str_word(&data), &number[i]));
    t.usage = (uint8_t)number[0], t.selector = (uint8_t)number[1], t.mtype = (uint8_t)number[2];
    struct str word = str_trim(data);
    if (str_equal(word, STR("d32")))
        t.data = str_make(digest, 32);
    else if (str_equal(word, STR("e32")))
        t.data = str_make(digest + 8, 32);
    else if (str_equal(word, STR("d64")))
        t.data = str_make(digest, 64);
    else {
        struct buf b = {0};
        ENSURE(hex_decode(&b, word));
        t.data = arena_str(a, buf_str(&b));
        buf_release(&b);
    }
    return t;
}

static struct dns_record script_record(struct arena *a, enum dns_type type, struct str data)
{
    struct dns_record r = {.type = type, .ttl = 60};
    struct str rest = data;
    uint32_t preference;
    switch (type) {
    case DNS_A:
    case DNS_AAAA:
        ENSURE(addr_parse_ip(str_trim(data), &r.addr));
        break;
    case DNS_MX:
        ENSURE(str_to_u32(str_word(&rest), &preference));
        r.mx.preference = (uint16_t)preference;
        r.mx.host = str_trim(rest);
        if (str_equal(r.mx.host, STR(".")))
            r.mx.host = STR("");
        break;
    case DNS_TLSA:
        r.tlsa = script_tlsa(a, data);
        break;
    default:
        r.name = str_trim(data);
        break;
    }
    return r;
}

static bool script_answer(struct script *s, struct arena *a, const struct dns_question *q,
                          struct dns_answer *out)
{
    struct str rest = str_of(s->text);
    while (rest.n) {
        struct str line = str_trim(str_cut(&rest, '\n'));
        if (!str_equal(str_word(&line), q->name) || script_type(str_word(&line)) != q->type)
            continue;
        *out = (struct dns_answer){
            .type = q->type, .qname = q->name, .expanded = q->name, .ede = DNS_NO_EDE, .ttl = 60};
        script_state(str_word(&line), out);
        line = str_trim(line);
        if (line.n && line.p[0] == '>') {
            line = str_from(line, 1);
            out->expanded = str_word(&line);
        }
        out->records = ARENA_ARRAY(a, struct dns_record, 64);
        while (str_trim(line).n)
            out->records[out->n++] = script_record(a, q->type, str_cut(&line, ','));
        return true;
    }
    return false;
}

static void script_ask(void *ctx, struct arena *a, const struct dns_question *q, size_t n, deadline until,
                       struct dns_answer *out)
{
    (void)until;
    struct script *s = ctx;
    for (size_t i = 0; i < n; i++) {
        s->asked++;
        if (script_answer(s, a, &q[i], &out[i]))
            continue;
        out[i] = (struct dns_answer){.type = q[i].type,
                                     .qname = q[i].name,
                                     .expanded = q[i].name,
                                     .status = DNS_ERROR,
                                     .error = DNS_ERROR_OTHER,
                                     .ede = DNS_NO_EDE};
        if (!s->unexpected[0])
            (void)snprintf(s->unexpected, sizeof s->unexpected, "%.*s %s", STR_ARG(q[i].name),
                           dns_type_name(q[i].type));
    }
}

#endif
