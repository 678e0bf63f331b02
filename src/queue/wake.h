/* The datagram that says "there is something new": saves the consumer from polling often. Losing one costs a
 * second at most. */
#ifndef QUEUE_WAKE_H
#define QUEUE_WAKE_H

#include <sys/socket.h>
#include <sys/un.h>

#include "queue/layout.h"

struct wake {
    int fd;
    struct sockaddr_un to;
};
#define WAKE_NONE ((struct wake){.fd = -1})

void wake_open_sender(struct wake *w, const struct layout *l);
/* Never blocks, never fails: a consumer that is not there looks when it starts. */
void wake_send(const struct wake *w);

enum err wake_open_receiver(struct wake *w, const struct layout *l, struct buf *why) MUST_CHECK;
/* Waits for a datagram, at most ms; takes all that are there. False: there was none. */
bool wake_wait(const struct wake *w, int ms);
void wake_release(struct wake *w);

#endif
