#include "smtpd/answer.h"

const struct answer_row *answer_row(enum answer a)
{
    static const struct answer_row rows[ANSWER_COUNT] = {
#define X(name, code, status, text) {#name, code, status, text},
#include "smtpd/answer.def"
#undef X
    };
    return &rows[a];
}
