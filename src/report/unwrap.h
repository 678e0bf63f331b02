/* From what was handed in to the JSON of a report: a message with the report attached, gzip, or the JSON
 * itself. Told apart by their first octets, not by names or media types, which senders get wrong. Pure. */
#ifndef REPORT_UNWRAP_H
#define REPORT_UNWRAP_H

#include "base/base.h"

enum {
    REPORT_INPUT_MAX = 8 << 20, /* octets handed in */
    REPORT_JSON_MAX = 16 << 20, /* unpacked */
    /* gzip beyond the first MiB: a text that shrinks to less than a 200th is made to be a burden */
    REPORT_RATIO_MAX = 200,
};

/* Appends the JSON. ERR_MALFORMED or ERR_FULL (too large) with why. */
enum err report_unwrap(struct str input, struct buf *json, struct buf *why) MUST_CHECK;

#endif
