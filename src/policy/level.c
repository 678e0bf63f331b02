#include "policy/level.h"

struct words {
    const char *name, *sentence;
};

#define X(name, text, sentence) {text, sentence},
static const struct words levels[] = {LEVEL_TABLE(X)};
static const struct words causes[] = {CAUSE_TABLE(X)};
#undef X

const char *level_name(enum level level)
{
    return levels[level].name;
}

const char *level_sentence(enum level level)
{
    return levels[level].sentence;
}

const char *level_cause_name(enum level_cause cause)
{
    return causes[cause].name;
}

const char *level_cause_sentence(enum level_cause cause)
{
    return causes[cause].sentence;
}
