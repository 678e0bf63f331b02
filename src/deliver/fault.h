/* Tells one domain's broken signatures from a broken resolver: when many unrelated domains turn bogus at
 * once, it is not they who broke. Pure but for its own memory; the caller locks. */
#ifndef DELIVER_FAULT_H
#define DELIVER_FAULT_H

#include "base/base.h"

enum { FAULT_SLOTS = 256, FAULT_WINDOW = 5 * 60 * 1000, FAULT_LEAST = 10 };

struct fault {
    struct fault_slot {
        uint64_t domain; /* hash of the last two labels */
        int64_t at;      /* mono ms; 0: empty */
        bool bogus;
    } slot[FAULT_SLOTS];
    size_t next;
};

/* Notes what the lookup of a domain gave. */
void fault_note(struct fault *f, struct str domain, bool bogus, int64_t now);
/* In the window at least FAULT_LEAST unrelated domains were bogus, and more were bogus than were not. */
bool fault_is_ours(const struct fault *f, int64_t now);

#endif
