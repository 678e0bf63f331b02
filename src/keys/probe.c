#include "keys/probe.h"

static const char *const names[] = {
#define X(name, text) [PROBE_##name] = text,
    PROBE_TABLE(X)
#undef X
};

const char *probe_kind_name(enum probe_kind k)
{
    return names[k];
}

bool probe_kind_parse(struct str text, enum probe_kind *out)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_equal(text, str_of(names[i]))) {
            *out = (enum probe_kind)i;
            return true;
        }
    return false;
}
