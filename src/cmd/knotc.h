/* Commands to the private primary, over its control socket. */
#ifndef CMD_KNOTC_H
#define CMD_KNOTC_H

#include "base/base.h"
#include "conf/conf.h"

struct knotc {
    struct buf program, socket;
    struct buf said; /* by the last command, on both outputs */
};

void knotc_open(struct knotc *k, const struct conf *conf);
void knotc_close(struct knotc *k);
/* Runs one command to its end; false when it fails. The words end with NULL. */
bool knotc_run(struct knotc *k, const char *const *words);
#define KNOTC(k, ...) knotc_run((k), (const char *const[]){__VA_ARGS__, NULL})

#endif
