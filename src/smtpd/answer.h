/* The server's replies, from one table: name for logs, code, enhanced status, text. */
#ifndef SMTPD_ANSWER_H
#define SMTPD_ANSWER_H

#include "base/base.h"

enum answer {
#define X(name, code, status, text) ANSWER_##name,
#include "smtpd/answer.def"
#undef X
    ANSWER_COUNT
};

struct answer_row {
    const char *name;
    unsigned code;
    const char *status, *text;
};
const struct answer_row *answer_row(enum answer a);

#endif
