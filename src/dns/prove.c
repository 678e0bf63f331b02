#include "dns/resolver.h"

static enum err unproven(enum dns_error error)
{
    return error == DNS_ERROR_TIMEOUT || error == DNS_ERROR_UNREACHABLE ? ERR_TIMEOUT : ERR_REFUSED;
}

static const char *shown(struct str name)
{
    return name.n ? name.p : ".";
}

static enum err prove_secure(struct resolver *r, struct arena *a, struct str name, deadline until,
                             struct buf *why)
{
    struct dns_answer answer;
    resolver_ask(r, a, name, DNS_SOA, until, &answer);
    if (answer.status == DNS_ERROR) {
        buf_set(why, "the resolver cannot look up %.*s, which is known to be secure: %s%s%.*s",
                name.n ? (int)name.n : 1, shown(name), dns_error_sentence(answer.error),
                answer.ede_text.n ? ": " : "", STR_ARG(answer.ede_text));
        return unproven(answer.error);
    }
    if (answer.security == DNS_SECURE)
        return OK;
    buf_set(
        why,
        "the resolver does not validate: %.*s, which is known to be secure, came back without the mark of an "
        "authenticated answer (AD)",
        name.n ? (int)name.n : 1, shown(name));
    return ERR_REFUSED;
}

/* A bogus domain may be so in some of its records only. */
static enum err prove_bogus(struct resolver *r, struct arena *a, struct str name, deadline until,
                            struct buf *why)
{
    struct dns_question questions[] = {{name, DNS_A}, {name, DNS_MX}, {name, DNS_SOA}, {name, DNS_TXT}};
    enum { COUNT = sizeof questions / sizeof *questions };
    struct dns_answer answers[COUNT];
    resolver_ask_many(r, a, questions, COUNT, until, answers);
    const struct dns_answer *failed = NULL;
    for (size_t i = 0; i < COUNT; i++) {
        if (answers[i].status != DNS_ERROR)
            continue;
        if (answers[i].error == DNS_ERROR_BOGUS)
            return OK;
        failed = &answers[i];
    }
    if (failed) {
        buf_set(why,
                "whether the resolver refuses forged data cannot be told: for %.*s, known to be bogus, %s",
                STR_ARG(name), dns_error_sentence(failed->error));
        return unproven(failed->error);
    }
    buf_set(why, "the resolver does not validate: it answers for %.*s, which is known to be bogus",
            STR_ARG(name));
    return ERR_REFUSED;
}

enum err resolver_prove(struct resolver *r, struct str secure_name, struct str bogus_name, deadline until,
                        struct buf *why)
{
    struct arena a = {0};
    enum err e = prove_secure(r, &a, secure_name, until, why);
    if (e == OK && bogus_name.n)
        e = prove_bogus(r, &a, bogus_name, until, why);
    arena_release(&a);
    return e;
}
