#include "directory/directory.h"

/* Names of the enumerations; each parse is a walk over the same table. */
static bool name_find(struct str text, const char *const *names, size_t count, unsigned *out)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal(text, str_of(names[i]))) {
            *out = (unsigned)i;
            return true;
        }
    return false;
}

#define X(name, text) text,
static const char *const protocols[] = {DIR_PROTOCOL_TABLE(X)};
static const char *const tls_levels[] = {DIR_TLS_TABLE(X)};
static const char *const recipients[] = {DIR_RECIPIENTS_TABLE(X)};
#undef X
#define X(name, text, sentence) text,
static const char *const modes[] = {MODE_TABLE(X)};
#undef X
#define X(name, text, sentence) sentence,
static const char *const mode_sentences[] = {MODE_TABLE(X)};
#undef X

#define NAMED(prefix, type, names)                                                                           \
    const char *prefix##_name(type v)                                                                        \
    {                                                                                                        \
        ENSURE((unsigned)v < sizeof(names) / sizeof *(names));                                               \
        return (names)[v];                                                                                   \
    }                                                                                                        \
    bool prefix##_parse(struct str text, type *out)                                                          \
    {                                                                                                        \
        unsigned at = 0;                                                                                     \
        bool found = name_find(text, names, sizeof(names) / sizeof *(names), &at);                           \
        *out = (type)at;                                                                                     \
        return found;                                                                                        \
    }

NAMED(dir_protocol, enum dir_protocol, protocols)
NAMED(dir_tls, enum dir_tls, tls_levels)
NAMED(dir_recipients, enum dir_recipients, recipients)
NAMED(mode, enum mode, modes)

const char *mode_sentence(enum mode m)
{
    ENSURE((unsigned)m < sizeof mode_sentences / sizeof *mode_sentences);
    return mode_sentences[m];
}
