#include "zone/verify.h"

#include <errno.h>

#include "base/die.h"
#include "base/file.h"
#include "base/thread.h"

enum { DNS_PORT = 53 };

/* How many jobs are still under way. */
struct countdown {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    size_t left;
};

static void countdown_init(struct countdown *c, size_t n)
{
    *c = (struct countdown){.left = n};
    ENSURE(pthread_mutex_init(&c->lock, NULL) == 0);
    thread_cond_init(&c->ended);
}

static void countdown_one(struct countdown *c)
{
    (void)pthread_mutex_lock(&c->lock);
    if (--c->left == 0)
        (void)pthread_cond_signal(&c->ended);
    (void)pthread_mutex_unlock(&c->lock);
}

static void countdown_wait(struct countdown *c)
{
    (void)pthread_mutex_lock(&c->lock);
    while (c->left)
        (void)thread_cond_wait(&c->ended, &c->lock, DEADLINE_NEVER);
    (void)pthread_mutex_unlock(&c->lock);
    (void)pthread_mutex_destroy(&c->lock);
    (void)pthread_cond_destroy(&c->ended);
}

/* ---- one server */

struct job {
    const struct zone_evidence *evidence;
    const struct dns_answer *keys;
    struct zone_server *server;
    deadline until;
    struct countdown *countdown;
};

/* A datagram socket sends nothing when it connects: the kernel alone answers, from its table of routes. What
 * routers elsewhere say of a question on its way would come later, and is silence. */
static bool has_route(const struct addr *to)
{
    int fd = socket(to->ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && connect(fd, (const struct sockaddr *)&to->ss, to->n) == 0;
    has = has || (errno != ENETUNREACH && errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT);
    if (fd >= 0)
        file_close(&fd);
    return has;
}

static enum zone_server_state state_of_error(const struct zone_server *s, enum err e)
{
    if (e == ERR_MALFORMED)
        return ZONE_SERVER_MALFORMED;
    return has_route(&s->addr) ? ZONE_SERVER_SILENT : ZONE_SERVER_NO_ROUTE;
}

static enum zone_server_state state_of_answer(const struct authority_answer *answer)
{
    switch (answer->rcode) {
    case DNS_RCODE_NOERROR:
    case DNS_RCODE_NXDOMAIN:
        return answer->is_authoritative ? ZONE_SERVER_GOOD : ZONE_SERVER_LAME;
    case DNS_RCODE_REFUSED:
    case DNS_RCODE_NOTAUTH:
        return ZONE_SERVER_REFUSING;
    default:
        return ZONE_SERVER_FAILING;
    }
}

/* False when the server is not good: no more questions to it. */
static bool ask(struct job *job, const struct dns_question *question, struct authority_answer *answer)
{
    struct zone_server *s = job->server;
    struct authority server = {.addr = s->addr};
    struct buf why = {0};
    enum err e = authority_ask(&server, &s->arena, question, job->until, answer, &why);
    if (e != OK) {
        s->state = state_of_error(s, e);
        s->why = arena_str(&s->arena, buf_str(&why));
    } else {
        s->state = state_of_answer(answer);
        if (answer->rcode != DNS_RCODE_NOERROR && s->state != ZONE_SERVER_GOOD)
            s->why = str_of(dns_rcode_name(answer->rcode));
    }
    buf_release(&why);
    return s->state == ZONE_SERVER_GOOD;
}

static void run_job(void *arg)
{
    struct job *job = arg;
    const struct zone_evidence *e = job->evidence;
    struct zone_server *s = job->server;
    struct authority_answer answer;
    struct dns_question soa = {e->zone, DNS_SOA};
    int64_t start = clock_mono();
    s->rrsets = ARENA_ARRAY(&s->arena, struct zone_rrset, e->nquestion + 1);
    bool good = ask(job, &soa, &answer);
    if (good && answer.n == 0) {
        s->state = ZONE_SERVER_LAME;
        good = false;
    }
    s->serial = answer.serial;
    for (size_t i = 0; good && i < e->nquestion; i++) {
        if (i >= e->nquestion - e->nsample && clock_mono() - start > (job->until - start) / 2)
            break; /* the server is far away: samples must not make it a silent one */
        good = ask(job, &e->questions[i], &answer);
        if (good)
            zone_rrset_judge(&answer, &e->questions[i], job->keys, clock_wall(), &s->rrsets[i]);
    }
    s->took_ms = clock_mono() - start;
    countdown_one(job->countdown);
}

/* ---- which servers */

static void add_server(struct zone_evidence *e, struct str name, struct addr addr)
{
    if (addr_port(&addr) == 0)
        addr_set_port(&addr, DNS_PORT);
    for (size_t i = 0; i < e->n; i++)
        if (addr_equal_ip(&e->servers[i].addr, &addr) && addr_port(&e->servers[i].addr) == addr_port(&addr))
            return;
    e->servers[e->n++] = (struct zone_server){.name = name, .addr = addr, .state = ZONE_SERVER_SILENT};
}

static void set_unknown(struct zone_evidence *e, const char *what, struct str name,
                        const struct dns_answer *answer)
{
    if (e->unknown.n)
        return; /* the first is enough */
    const char *reason = answer->status == DNS_ERROR ? dns_error_sentence(answer->error) : "there is none";
    e->unknown = arena_printf(&e->arena, "the %s of %.*s: %s", what, STR_ARG(name), reason);
}

/* The addresses of all name servers, asked for at the same time. */
static void find_servers(const struct dns_source *resolver, struct zone_evidence *e,
                         const struct dns_answer *ns, const struct addr *primary, int64_t timeout_ms)
{
    size_t n = ns->status == DNS_DATA ? ns->n : 0;
    struct dns_question *questions = ARENA_ARRAY(&e->arena, struct dns_question, 2 * n + 1);
    struct dns_answer *answers = ARENA_ARRAY(&e->arena, struct dns_answer, 2 * n + 1);
    for (size_t i = 0; i < n; i++) {
        questions[2 * i] = (struct dns_question){ns->records[i].name, DNS_A};
        questions[2 * i + 1] = (struct dns_question){ns->records[i].name, DNS_AAAA};
    }
    if (n)
        resolver->ask(resolver->ctx, &e->arena, questions, 2 * n, deadline_in(timeout_ms), answers);
    else
        set_unknown(e, "NS records", e->zone, ns);
    size_t room = 1;
    for (size_t i = 0; i < 2 * n; i++)
        room += answers[i].n;
    e->servers = ARENA_ARRAY(&e->arena, struct zone_server, room);
    for (size_t i = 0; i < 2 * n; i++) {
        const struct dns_answer *other = &answers[i ^ 1];
        if (answers[i].status == DNS_ERROR ||
            (answers[i].n == 0 && other->n == 0 && other->status != DNS_ERROR))
            set_unknown(e, "addresses", questions[i].name, &answers[i]);
        for (size_t j = 0; j < answers[i].n; j++)
            add_server(e, questions[i].name, answers[i].records[j].addr);
    }
    if (primary->n)
        add_server(e, STR("primary"), *primary);
}

static void ask_servers(struct crew *crew, struct zone_evidence *e, const struct dns_answer *keys,
                        int64_t timeout_ms)
{
    struct countdown countdown;
    deadline until = deadline_in(timeout_ms); /* a slow resolver is not their silence */
    struct job *jobs = ARENA_ARRAY(&e->arena, struct job, e->n + 1);
    countdown_init(&countdown, e->n);
    for (size_t i = 0; i < e->n; i++) {
        jobs[i] = (struct job){
            .evidence = e, .keys = keys, .server = &e->servers[i], .until = until, .countdown = &countdown};
        if (crew_start(crew, run_job, &jobs[i], NULL) != OK)
            run_job(&jobs[i]); /* no more threads: one after the other then */
    }
    countdown_wait(&countdown);
}

static struct dns_question *copy_questions(struct arena *a, const struct zone_watch *watch)
{
    struct dns_question *copy = ARENA_ARRAY(a, struct dns_question, watch->nquestion + 1);
    for (size_t i = 0; i < watch->nquestion; i++)
        copy[i] = (struct dns_question){arena_str(a, watch->questions[i].name), watch->questions[i].type};
    return copy;
}

void zone_observe(const struct dns_source *resolver, struct crew *crew, const struct zone_watch *watch,
                  int64_t timeout_ms, struct zone_evidence *out)
{
    *out = (struct zone_evidence){
        .nquestion = watch->nquestion, .nsample = watch->nsample, .unreachable = watch->unreachable};
    out->zone = arena_str(&out->arena, watch->zone);
    out->questions = copy_questions(&out->arena, watch);
    size_t n = watch->nquestion - watch->nsample;
    struct dns_question *questions = ARENA_ARRAY(&out->arena, struct dns_question, n + 2);
    struct dns_answer *answers = ARENA_ARRAY(&out->arena, struct dns_answer, n + 2);
    for (size_t i = 0; i < n; i++)
        questions[i] = out->questions[i];
    questions[n] = (struct dns_question){out->zone, DNS_NS};
    questions[n + 1] = (struct dns_question){out->zone, DNS_DNSKEY};
    resolver->ask(resolver->ctx, &out->arena, questions, n + 2, deadline_in(timeout_ms), answers);
    out->validated = answers;
    const struct dns_answer *keys = &answers[n + 1];
    out->security = keys->status == DNS_DATA && dns_answer_is_secure(keys) ? DNS_SECURE : DNS_INSECURE;
    find_servers(resolver, out, &answers[n], &watch->primary, timeout_ms);
    ask_servers(crew, out, keys, timeout_ms);
    out->wall_ms = clock_wall();
}
