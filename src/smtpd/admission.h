/* How many sessions there are: in total, from an address, from its /24 or /48. Thread-safe. */
#ifndef SMTPD_ADMISSION_H
#define SMTPD_ADMISSION_H

#include "net/net.h"

struct admission {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t total;
    struct map
        counts; /* octets of address or network (their lengths tell them apart) -> count as a pointer */
};

enum admission_verdict { ADMISSION_OK, ADMISSION_TOTAL_FULL, ADMISSION_ADDRESS_FULL, ADMISSION_NETWORK_FULL };

struct admission_limits {
    size_t total, per_address, per_network;
};

void admission_init(struct admission *a);
void admission_release(struct admission *a);
/* Every connection takes a slot; the address is counted apart, because behind a proxy it is known later. */
enum admission_verdict admission_take_slot(struct admission *a,
                                           const struct admission_limits *limits) MUST_CHECK;
enum admission_verdict admission_take_address(struct admission *a, const struct addr *peer,
                                              const struct admission_limits *limits) MUST_CHECK;
void admission_give_address(struct admission *a, const struct addr *peer);
void admission_give_slot(struct admission *a);
/* Waits until there is no session left; returns how many are left at the deadline. */
size_t admission_drain(struct admission *a, deadline until);
size_t admission_total(struct admission *a);

#endif
