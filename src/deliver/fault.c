#include "deliver/fault.h"

/* Domains that share their last two labels count as related: one broken zone above them explains them all. */
static struct str family(struct str domain)
{
    size_t dots = 0;
    for (size_t i = domain.n; i > 0; i--)
        if (domain.p[i - 1] == '.' && ++dots == 2)
            return str_from(domain, i);
    return domain;
}

void fault_note(struct fault *f, struct str domain, bool bogus, int64_t now)
{
    uint64_t hash = map_hash(family(domain));
    struct fault_slot *slot = NULL;
    for (size_t i = 0; i < FAULT_SLOTS && !slot; i++)
        if (f->slot[i].at && f->slot[i].domain == hash)
            slot = &f->slot[i];
    if (!slot) {
        slot = &f->slot[f->next];
        f->next = (f->next + 1) % FAULT_SLOTS;
    }
    *slot = (struct fault_slot){hash, now, bogus};
}

bool fault_is_ours(const struct fault *f, int64_t now)
{
    size_t bogus = 0, fine = 0;
    for (size_t i = 0; i < FAULT_SLOTS; i++) {
        const struct fault_slot *s = &f->slot[i];
        if (!s->at || now - s->at > FAULT_WINDOW)
            continue;
        if (s->bogus)
            bogus++;
        else
            fine++;
    }
    return bogus >= FAULT_LEAST && bogus > fine;
}
