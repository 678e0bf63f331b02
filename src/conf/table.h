/* The rows of options.def as data, for the parser and the writers. Only conf includes this. */
#ifndef CONF_TABLE_H
#define CONF_TABLE_H

#include <stddef.h>

#include "conf/conf.h"

#define CONF_KINDS(X)                                                                                        \
    X(NAME, "domain name")                                                                                   \
    X(PATH, "path")                                                                                          \
    X(TEXT, "text")                                                                                          \
    X(ADDRESS, "address:port")                                                                               \
    X(BOOL, "yes or no")                                                                                     \
    X(NUMBER, "number")                                                                                      \
    X(SIZE, "size")                                                                                          \
    X(DURATION, "duration")                                                                                  \
    X(CHOICE, "one of its words")                                                                            \
    X(ADDRESS_LIST, "address:port ...")                                                                      \
    X(NETWORK_LIST, "address/bits ...")                                                                      \
    X(IP_LIST, "address ...")                                                                                \
    X(NAME_LIST, "domain name ...")                                                                          \
    X(DURATION_LIST, "duration ...")

enum conf_kind {
#define X(name, text) KIND_##name,
    CONF_KINDS(X)
#undef X
};

struct conf_option {
    const char *section; /* set in the rows that are titles; then name is NULL */
    const char *name;
    enum conf_kind kind;
    const char *words; /* of a choice, in the order of its enum */
    const char *standard;
    int64_t least, most;
    size_t offset;
    const char *sentence;
};

extern const struct conf_option conf_options[];
extern const size_t conf_option_count;
const char *conf_kind_text(enum conf_kind kind);

/* Sets the member from the text of the file; why says what is wrong with the value. Frees what was there. A
 * list is appended to when `more` is true. */
bool conf_value_set(struct conf *c, const struct conf_option *o, struct str text, bool more, struct buf *why);
/* The value as the file would have it. */
void conf_value_show(const struct conf *c, const struct conf_option *o, struct buf *out);
void conf_value_release(struct conf *c, const struct conf_option *o);

#endif
