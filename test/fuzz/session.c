/* A whole session: the input is what a client sends, cut at each 0x01 where it waits for an answer. Nothing
 * is committed that has no recipient, and every draft ends. */
#include "../unit/smtpd/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct conf conf;
    struct world w;
    struct world_session s = {.stop_fd = -1};
    struct str input = str_make((const char *)data, size);
    char reply[4096];
    log_init("fuzz", LOG_ERROR + 1);
    if (!conf.hostname)
        world_conf(&conf);
    world_init(&w);
    world_start(&s, &w, &conf);
    const struct timeval wait = {.tv_usec = 20000};
    (void)setsockopt(s.client, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    for (ssize_t got = 1; got > 0 && input.p;) {
        got = recv(s.client, reply, sizeof reply, 0);
        struct str group = str_cut(&input, 1);
        (void)send(s.client, group.p, group.n, MSG_NOSIGNAL);
    }
    (void)shutdown(s.client, SHUT_WR);
    while (recv(s.client, reply, sizeof reply, 0) > 0)
        ;
    world_end(&s);
    ENSURE(w.drafts == w.committed + w.dropped && (!w.committed || w.last.nrcpt > 0));
    world_release(&w);
    return 0;
}
