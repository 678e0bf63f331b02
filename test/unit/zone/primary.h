/* A primary for one zone, in a thread: answers for its SOA, hands the zone out (AXFR), takes updates as RFC
 * 2136 3.4.2.2 has it. It signs nothing. */
#ifndef TEST_ZONE_PRIMARY_H
#define TEST_ZONE_PRIMARY_H

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/codec.h"
#include "base/file.h"
#include "base/thread.h"
#include "zone/publish.h"

struct primary {
    struct str name; /* of the zone */
    struct addr address;
    int tcp, udp, stop[2];
    pthread_t thread;
    pthread_mutex_t lock; /* for what follows */
    struct zone_snapshot zone;
    const char *refused; /* updates with a name that begins so; NULL: none */
    size_t reads, updates;
};

static bool primary_refuses(const struct primary *p, struct str owner)
{
    return p->refused && str_starts(owner, str_of(p->refused));
}

/* No alias beside other records, or signatures of what goes in the same message: so does Knot. */
static bool primary_ignores(const struct primary *p, const struct dns_change *changes, size_t n, size_t at)
{
    const struct dns_raw *added = &changes[at].record;
    for (size_t i = 0; i < p->zone.n; i++)
        if (str_equal(p->zone.records[i].owner, added->owner) &&
            (p->zone.records[i].type == DNS_CNAME) != (added->type == DNS_CNAME))
            return true;
    for (size_t i = 0; i < n && added->type == DNS_CNAME; i++)
        if (changes[i].op == DNS_REMOVE && str_equal(changes[i].record.owner, added->owner))
            return true;
    return false;
}

static uint16_t primary_update(struct primary *p, struct dns_reader *r, size_t n)
{
    enum { REFUSED = 5 };
    struct arena a = {0};
    struct dns_change *changes = ARENA_ARRAY(&a, struct dns_change, n);
    struct dns_rr rr;
    bool refused = false;
    for (size_t i = 0; i < n; i++) {
        assert_true(dns_read_rr(r, &rr) && dns_raw_from_rr(&a, &rr, &changes[i].record));
        changes[i].op = rr.class == DNS_CLASS_IN ? DNS_ADD : DNS_REMOVE;
        refused |= primary_refuses(p, changes[i].record.owner);
    }
    for (size_t i = 0; i < n && !refused; i++)
        if (changes[i].op == DNS_REMOVE || !primary_ignores(p, changes, n, i))
            zone_snapshot_apply(&p->zone, &changes[i], 1);
    p->zone.serial += !refused;
    p->updates += !refused;
    arena_release(&a);
    return refused ? REFUSED : 0;
}

static void primary_soa(const struct primary *p, struct buf *out)
{
    struct buf data = {0};
    buf_add_u16(&data, 0); /* two root names */
    buf_add_u32(&data, p->zone.serial);
    for (int i = 0; i < 4; i++)
        buf_add_u32(&data, 60);
    struct dns_raw soa = {p->name, DNS_SOA, 60, buf_str(&data)};
    assert_true(dns_raw_write(out, &soa));
    buf_release(&data);
}

/* The answer to a message; empty to what it does not know. */
static void primary_answer(struct primary *p, struct str message, struct buf *out)
{
    enum { QR_AA = 0x8400, QR_UPDATE = 0xa800, AXFR = 252 };
    struct dns_reader r = {.message = (const uint8_t *)message.p, .at = DNS_HEADER_SIZE, .end = message.n};
    struct dns_name_text zone;
    dns_read_name(&r, &zone);
    uint16_t type = dns_read_u16(&r);
    bool update = message.p[2] & 0x28, transfer = type == AXFR;
    assert_true(dns_read_u16(&r) == DNS_CLASS_IN && str_equal(str_make(zone.p, zone.n), p->name));
    size_t question_end = r.at;
    pthread_mutex_lock(&p->lock);
    buf_add_u16(out, get_u16(message.p));
    buf_add_u16(out, update ? QR_UPDATE | primary_update(p, &r, get_u16(message.p + 8)) : QR_AA);
    buf_add_u16(out, !update);
    buf_add_u16(out, (uint16_t)(update ? 0 : transfer ? p->zone.n + 2 : 1));
    buf_add_u32(out, 0);
    if (!update) {
        buf_add(out, str_make(message.p + DNS_HEADER_SIZE, question_end - DNS_HEADER_SIZE));
        primary_soa(p, out);
    }
    for (size_t i = 0; transfer && i < p->zone.n; i++)
        assert_true(dns_raw_write(out, &p->zone.records[i]));
    if (transfer)
        primary_soa(p, out);
    p->reads += transfer;
    pthread_mutex_unlock(&p->lock);
}

static void primary_tcp(struct primary *p)
{
    static char message[65535];
    struct buf out = {0};
    char length[2];
    int fd = accept(p->tcp, NULL, NULL);
    if (recv(fd, length, 2, MSG_WAITALL) == 2 &&
        recv(fd, message, get_u16(length), MSG_WAITALL) == get_u16(length)) {
        primary_answer(p, str_make(message, get_u16(length)), &out);
        put_u16(length, (uint16_t)out.n);
        (void)send(fd, length, 2, MSG_NOSIGNAL);
        (void)send(fd, out.p, out.n, MSG_NOSIGNAL);
    }
    buf_release(&out);
    file_close(&fd);
}

static void primary_udp(struct primary *p)
{
    char message[1500];
    struct buf out = {0};
    struct sockaddr_storage from;
    socklen_t n = sizeof from;
    ssize_t got = recvfrom(p->udp, message, sizeof message, 0, (struct sockaddr *)&from, &n);
    if (got > 0) {
        primary_answer(p, str_make(message, (size_t)got), &out);
        (void)sendto(p->udp, out.p, out.n, 0, (struct sockaddr *)&from, n);
    }
    buf_release(&out);
}

static void primary_serve(void *arg)
{
    struct primary *p = arg;
    for (;;) {
        struct pollfd fd[] = {{p->stop[0], POLLIN, 0}, {p->tcp, POLLIN, 0}, {p->udp, POLLIN, 0}};
        (void)poll(fd, 3, -1);
        if (fd[0].revents)
            return;
        if (fd[1].revents)
            primary_tcp(p);
        if (fd[2].revents)
            primary_udp(p);
    }
}

static void primary_start(struct primary *p, struct str zone, uint32_t serial)
{
    *p = (struct primary){.name = zone, .zone.serial = serial};
    pthread_mutex_init(&p->lock, NULL);
    assert_int_equal(pipe(p->stop), 0);
    assert_true(addr_parse(STR("127.0.0.1"), 0, &p->address));
    p->tcp = socket(AF_INET, SOCK_STREAM, 0);
    p->udp = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(p->tcp, (struct sockaddr *)&p->address.ss, p->address.n), 0);
    assert_int_equal(getsockname(p->tcp, (struct sockaddr *)&p->address.ss, &p->address.n), 0);
    assert_int_equal(bind(p->udp, (struct sockaddr *)&p->address.ss, p->address.n), 0);
    assert_int_equal(listen(p->tcp, 16), 0);
    assert_int_equal(thread_start_joinable(primary_serve, p, &p->thread, NULL), OK);
}

static void primary_stop(struct primary *p)
{
    assert_int_equal(write(p->stop[1], "", 1), 1);
    assert_int_equal(pthread_join(p->thread, NULL), 0);
    file_close(&p->tcp);
    file_close(&p->udp);
    file_close(&p->stop[0]);
    file_close(&p->stop[1]);
    zone_snapshot_release(&p->zone);
    pthread_mutex_destroy(&p->lock);
}

/* Somebody's change, behind everybody's back. */
static __attribute__((unused)) void primary_change(struct primary *p, enum dns_change_op op,
                                                   const struct dns_raw *record)
{
    struct dns_change change = {op, *record};
    pthread_mutex_lock(&p->lock);
    zone_snapshot_apply(&p->zone, &change, 1);
    p->zone.serial++;
    pthread_mutex_unlock(&p->lock);
}

/* What it counted and has, and what it shall do. */
struct primary_view {
    size_t reads, updates;
    uint32_t serial;
    struct dns_raw first; /* record */
};
static __attribute__((unused)) struct primary_view primary_look(struct primary *p)
{
    pthread_mutex_lock(&p->lock);
    struct primary_view view = {p->reads, p->updates, p->zone.serial, {.type = 0}};
    if (p->zone.n)
        view.first = p->zone.records[0];
    pthread_mutex_unlock(&p->lock);
    return view;
}

static __attribute__((unused)) void primary_set_serial(struct primary *p, uint32_t serial)
{
    pthread_mutex_lock(&p->lock);
    p->zone.serial = serial;
    pthread_mutex_unlock(&p->lock);
}

static __attribute__((unused)) void primary_refuse(struct primary *p, const char *names)
{
    pthread_mutex_lock(&p->lock);
    p->refused = names;
    pthread_mutex_unlock(&p->lock);
}

/* The zone, a line for a record, SOA aside. */
static void primary_text(struct primary *p, struct buf *out)
{
    buf_clear(out);
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->zone.n; i++) {
        dns_raw_text(out, &p->zone.records[i]);
        buf_add_char(out, '\n');
    }
    pthread_mutex_unlock(&p->lock);
}

#endif
