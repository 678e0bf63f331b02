/* The DNS codec at a pipe, for tests that compare it with others (dns_oracle.py): a JSON object a line in,
 * one out. Octets travel in hex. */
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/codec.h"
#include "dns/tsig.h"
#include "dns/update.h"
#include "dns/zone_message.h"

static struct arena arena; /* of one line */

static struct str text(const json_t *in, const char *key)
{
    const char *s = json_string_value(json_object_get(in, key));
    ENSURE(s);
    return str_of(s);
}

static struct str octets(const json_t *hex)
{
    struct buf b = {0};
    ENSURE(hex_decode(&b, str_of(json_string_value(hex))));
    struct str kept = arena_str(&arena, buf_str(&b));
    buf_release(&b);
    return kept;
}

static int64_t number(const json_t *in, const char *key)
{
    return json_integer_value(json_object_get(in, key));
}

static json_t *to_hex(struct str bytes)
{
    struct buf b = {0};
    hex_append(&b, bytes.p, bytes.n);
    json_t *out = json_stringn(bytes.n ? b.p : "", b.n);
    buf_release(&b);
    return out;
}

static json_t *to_text(struct str s)
{
    return json_stringn(s.n ? s.p : "", s.n);
}

/* ---- TSIG: one exchange at a time */

static struct {
    struct tsig tsig;
    struct tsig_key key;
    char name[256];
    struct buf secret;
    bool open;
} exchange;

static json_t *do_sign(const json_t *in)
{
    struct buf message = {0};
    struct str name = text(in, "key");
    if (exchange.open)
        tsig_release(&exchange.tsig);
    ENSURE(str_copy(name, exchange.name, sizeof exchange.name));
    buf_clear(&exchange.secret);
    buf_add(&exchange.secret, octets(json_object_get(in, "secret")));
    exchange.key = (struct tsig_key){.name = str_of(exchange.name), .secret = buf_str(&exchange.secret)};
    ENSURE(tsig_algorithm_parse(text(in, "algorithm"), &exchange.key.algorithm));
    tsig_init(&exchange.tsig, &exchange.key);
    exchange.open = true;
    buf_add(&message, octets(json_object_get(in, "message")));
    tsig_sign(&exchange.tsig, &message, number(in, "now"));
    json_t *out = json_pack("{so}", "message", to_hex(buf_str(&message)));
    buf_release(&message);
    return out;
}

static json_t *do_verify(const json_t *in)
{
    struct str plain;
    struct buf sentence = {0};
    enum tsig_error e =
        tsig_verify(&exchange.tsig, octets(json_object_get(in, "message")), number(in, "now"), &plain);
    tsig_error_sentence(&exchange.tsig, e, number(in, "now"), &sentence);
    json_t *out = json_pack("{ss so so ss}", "error", tsig_error_name(e), "plain", to_hex(plain), "sentence",
                            to_text(buf_str(&sentence)), "end", tsig_error_name(tsig_end(&exchange.tsig)));
    buf_release(&sentence);
    return out;
}

/* ---- messages */

static json_t *do_update(const json_t *in)
{
    const json_t *list = json_object_get(in, "changes");
    size_t n = json_array_size(list);
    struct dns_change *changes = ARENA_ARRAY(&arena, struct dns_change, n + 1);
    json_t *refused = json_array();
    for (size_t i = 0; i < n; i++) {
        const json_t *c = json_array_get(list, i);
        changes[i] = (struct dns_change){
            .op = str_equal(text(c, "op"), STR("add")) ? DNS_ADD : DNS_REMOVE,
            .record = {.owner = text(c, "owner"),
                       .type = (uint16_t)number(c, "type"),
                       .ttl = (uint32_t)number(c, "ttl"),
                       .rdata = octets(json_object_get(c, "rdata"))},
        };
        struct buf why = {0};
        if (dns_change_check(&changes[i], text(in, "zone"), &why) != OK)
            json_array_append_new(refused, json_pack("[Io]", (json_int_t)i, to_text(buf_str(&why))));
        buf_release(&why);
    }
    struct buf message = {0};
    size_t taken = dns_update_write(&message, (uint16_t)number(in, "id"), text(in, "zone"), changes, n,
                                    (size_t)number(in, "limit"));
    json_t *out = json_pack("{so sI so}", "message", to_hex(buf_str(&message)), "taken", (json_int_t)taken,
                            "refused", refused);
    buf_release(&message);
    return out;
}

static json_t *do_reply(const json_t *in)
{
    enum dns_rcode rcode;
    bool ours = dns_update_parse(octets(json_object_get(in, "message")), (uint16_t)number(in, "id"), &rcode);
    return json_pack("{sb ss}", "ours", ours, "rcode", dns_rcode_name(rcode));
}

static json_t *record_text(const struct dns_raw *r)
{
    struct buf b = {0};
    dns_raw_text(&b, r);
    json_t *out = to_text(buf_str(&b));
    buf_release(&b);
    return out;
}

static void collect(void *ctx, const struct dns_raw *record)
{
    json_array_append_new(ctx, record_text(record));
}

static json_t *do_transfer(const json_t *in)
{
    static const char *const STEPS[] = {"more", "over", "refused", "broken"};
    const json_t *messages = json_object_get(in, "messages"), *one;
    json_t *records = json_array(), *steps = json_array();
    struct buf question = {0};
    struct dns_transfer t = {
        .zone = text(in, "zone"), .id = (uint16_t)number(in, "id"), .each = collect, .ctx = records};
    ENSURE(dns_transfer_write(&question, t.id, t.zone));
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)messages, i, one)
        json_array_append_new(steps, json_string(STEPS[dns_transfer_feed(&t, octets(one))]));
    json_t *out = json_pack("{so so so sI}", "question", to_hex(buf_str(&question)), "steps", steps,
                            "records", records, "serial", (json_int_t)t.serial);
    buf_release(&question);
    return out;
}

/* Which of the answer's signatures fit, with these keys: a list of [covered, key tag, expiration, fits]. */
static json_t *verified(const struct authority_answer *answer, const json_t *keys)
{
    json_t *out = json_array(), *key;
    for (size_t i = 0; i < answer->signature_count; i++) {
        const struct dns_signature *s = &answer->signatures[i];
        size_t from = 0, n = 0, at;
        while (from < answer->n && answer->records[from].type != s->covered)
            from++;
        while (from + n < answer->n && answer->records[from + n].type == s->covered)
            n++;
        bool fits = false;
        json_array_foreach((json_t *)(uintptr_t)keys, at, key) fits =
            fits || (n && dns_signature_verify(s, answer->records + from, n, octets(key)));
        json_array_append_new(out,
                              json_pack("[iiIb]", s->covered, s->key_tag, (json_int_t)s->expiration, fits));
    }
    return out;
}

static json_t *do_answer(const json_t *in)
{
    struct dns_question q = {text(in, "name"), (enum dns_type)number(in, "type")};
    struct authority_answer answer;
    enum err e = OK;
    enum dns_parsed parsed =
        authority_answer_parse(&arena, octets(json_object_get(in, "message")), (uint16_t)number(in, "id"), &q,
                               number(in, "now"), &e, &answer);
    if (parsed != DNS_PARSED || e != OK)
        return json_pack("{ss}", "error",
                         parsed == DNS_TRUNCATED ? "truncated"
                         : e != OK               ? err_text(e)
                                                 : "not ours");
    json_t *records = json_array(), *proof = json_array();
    for (size_t i = 0; i < answer.n; i++)
        collect(records, &answer.records[i]);
    for (size_t i = 0; i < answer.proof_count; i++)
        collect(proof, &answer.proof[i]);
    return json_pack("{ss sb so so so sI}", "rcode", dns_rcode_name(answer.rcode), "aa",
                     answer.is_authoritative, "records", records, "proof", proof, "signatures",
                     verified(&answer, json_object_get(in, "keys")), "serial",
                     (json_int_t)(answer.has_serial ? answer.serial : 0));
}

static const struct {
    const char *name;
    json_t *(*run)(const json_t *in);
} VERBS[] = {{"sign", do_sign},   {"verify", do_verify},     {"update", do_update},
             {"reply", do_reply}, {"transfer", do_transfer}, {"answer", do_answer}};

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        json_t *in = json_loads(line, 0, NULL), *out = NULL;
        ENSURE(in);
        for (size_t i = 0; i < sizeof VERBS / sizeof *VERBS; i++)
            if (str_equal(text(in, "verb"), str_of(VERBS[i].name)))
                out = VERBS[i].run(in);
        ENSURE(out);
        (void)json_dumpf(out, stdout, JSON_COMPACT);
        (void)putchar('\n');
        (void)fflush(stdout);
        json_decref(in);
        json_decref(out);
        arena_release(&arena);
    }
    free(line);
    if (exchange.open)
        tsig_release(&exchange.tsig);
    buf_release(&exchange.secret);
    return 0;
}
