/* Is what DNS says to be believed? The resolver must prove, at start and every minute, that it validates;
 * while it does not, only mail whose mode is off and mail for our own mailbox hosts is sent. */
#include "deliver/deliver_priv.h"

bool guard_allows(struct deliver *d, const struct policy_input *in)
{
    bool matters = in->via != POLICY_VIA_MAILBOX && in->mode != MODE_OFF;
    return !matters || atomic_load(&d->proven);
}

static bool is_bogus(enum reason r)
{
    return r == REASON_DNSSEC_BOGUS_MX || r == REASON_DNSSEC_BOGUS_ADDRESS || r == REASON_DNSSEC_BOGUS_TLSA;
}

void guard_judge(struct deliver *d, const struct policy_input *in, struct policy_plan *plan)
{
    struct policy_trouble *trouble = NULL;
    if (plan->verdict != PLAN_GO)
        trouble = &plan->trouble;
    else if (plan->nhost && plan->host[0].state == POLICY_HOST_OUT)
        trouble = &plan->host[0].trouble;
    bool bogus = trouble && is_bogus(trouble->reason);
    int64_t now = clock_mono();
    pthread_mutex_lock(&d->judging);
    fault_note(&d->fault, in->domain, bogus, now);
    bool ours = bogus && fault_is_ours(&d->fault, now);
    pthread_mutex_unlock(&d->judging);
    if (!ours)
        return;
    log_event(
        LOG_ERROR, "resolver-fault", LOG_STR("domain", in->domain),
        LOG_TEXT("instead_of", reason_name(trouble->reason)),
        LOG_TEXT(
            "why",
            "many unrelated domains fail DNSSEC validation at once; mend the resolver or its trust anchor"));
    trouble->reason = REASON_RESOLVER_FAULT;
}

static void set_proof(struct deliver *d, bool proven, struct str why)
{
    pthread_mutex_lock(&d->mutex);
    (void)str_copy(str_sub(why, 0, sizeof d->proof_why - 1), d->proof_why, sizeof d->proof_why);
    pthread_mutex_unlock(&d->mutex);
    atomic_store(&d->proven, proven);
}

void guard_prove(struct deliver *d)
{
    if (!d->parts.prove) {
        set_proof(d, true, STR_NONE);
        return;
    }
    const struct conf *conf = ((struct settings *)atomic_load(&d->settings))->conf;
    bool before = atomic_load(&d->proven);
    struct buf why = {0};
    bool proven = d->parts.prove(d->parts.prove_ctx, conf, &why) == OK;
    set_proof(d, proven, proven ? STR_NONE : buf_str(&why));
    if (!proven) {
        if (!d->unproven_since)
            d->unproven_since = clock_wall();
        log_event(
            LOG_ERROR, "resolver-not-proven", LOG_TEXT("resolver", conf->resolver),
            LOG_STR("why", buf_str(&why)),
            LOG_TEXT("effect",
                     "nothing is sent but mail of mode off and mail for mailbox hosts, until it is mended"));
    } else if (!before) {
        log_event(LOG_INFO, "resolver-proven", LOG_TEXT("resolver", conf->resolver),
                  LOG_NUM("unproven_s", d->unproven_since ? (clock_wall() - d->unproven_since) / 1000 : 0));
        d->unproven_since = 0;
    }
    buf_release(&why);
}
