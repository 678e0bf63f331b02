#include "smtpd/admission.h"

void admission_init(struct admission *a)
{
    *a = (struct admission){0};
    pthread_mutex_init(&a->lock, NULL);
    thread_cond_init(&a->changed);
}

void admission_release(struct admission *a)
{
    map_release(&a->counts);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
}

static struct str network_of(const struct addr *peer)
{
    return str_sub(addr_octets(peer), 0, addr_is_v4(peer) ? 3 : 6);
}

static size_t count_of(const struct admission *a, struct str key)
{
    return (size_t)(uintptr_t)map_get(&a->counts, key);
}

static void add(struct admission *a, struct str key, int step)
{
    size_t count = count_of(a, key) + (size_t)step;
    if (count)
        map_put(&a->counts, key, (void *)(uintptr_t)count);
    else
        map_remove(&a->counts, key);
}

enum admission_verdict admission_take_slot(struct admission *a, const struct admission_limits *limits)
{
    pthread_mutex_lock(&a->lock);
    bool ok = a->total < limits->total;
    a->total += ok;
    pthread_mutex_unlock(&a->lock);
    return ok ? ADMISSION_OK : ADMISSION_TOTAL_FULL;
}

enum admission_verdict admission_take_address(struct admission *a, const struct addr *peer,
                                              const struct admission_limits *limits)
{
    enum admission_verdict v = ADMISSION_OK;
    pthread_mutex_lock(&a->lock);
    if (count_of(a, addr_octets(peer)) >= limits->per_address)
        v = ADMISSION_ADDRESS_FULL;
    else if (count_of(a, network_of(peer)) >= limits->per_network)
        v = ADMISSION_NETWORK_FULL;
    else
        add(a, addr_octets(peer), 1), add(a, network_of(peer), 1);
    pthread_mutex_unlock(&a->lock);
    return v;
}

void admission_give_address(struct admission *a, const struct addr *peer)
{
    pthread_mutex_lock(&a->lock);
    add(a, addr_octets(peer), -1);
    add(a, network_of(peer), -1);
    pthread_mutex_unlock(&a->lock);
}

void admission_give_slot(struct admission *a)
{
    pthread_mutex_lock(&a->lock);
    ENSURE(a->total > 0);
    if (--a->total == 0)
        pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

size_t admission_drain(struct admission *a, deadline until)
{
    pthread_mutex_lock(&a->lock);
    while (a->total && thread_cond_wait(&a->changed, &a->lock, until))
        ;
    size_t left = a->total;
    pthread_mutex_unlock(&a->lock);
    return left;
}

size_t admission_total(struct admission *a)
{
    pthread_mutex_lock(&a->lock);
    size_t total = a->total;
    pthread_mutex_unlock(&a->lock);
    return total;
}
