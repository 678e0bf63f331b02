#include "policy/reason.h"

static const struct reason_row rows[REASON_COUNT] = {
#define X(name, text, temporary, final, tls_rpt, security, sentence, advice)                                 \
    [REASON_##name] = {text, temporary, final, tls_rpt, security, sentence, advice},
#include "policy/reason.def"
#undef X
};

const struct reason_row *reason_row(enum reason r)
{
    ENSURE((unsigned)r < REASON_COUNT);
    return &rows[r];
}

bool reason_parse(struct str name, enum reason *out)
{
    for (int i = 0; i < REASON_COUNT; i++)
        if (str_equal(name, str_of(rows[i].name))) {
            *out = (enum reason)i;
            return true;
        }
    return false;
}
