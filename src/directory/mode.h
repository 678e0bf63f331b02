/* The modes of sending (what an operator demands of a remote domain), weakest rule last. Pure names; what
 * they mean is decided in policy. */
#ifndef DIRECTORY_MODE_H
#define DIRECTORY_MODE_H

#include "base/str.h"

#define MODE_TABLE(X)                                                                                        \
    X(MODE_OPPORTUNISTIC, "opportunistic",                                                                   \
      "DANE where the destination offers it, else MTA-STS, else TLS when offered")                           \
    X(MODE_MANDATORY, "mandatory", "DANE or nothing: mail waits, and bounces when it expires")               \
    X(MODE_OFF, "off", "no DANE: an exception with an owner, a reason and an expiry")

enum mode {
#define X(name, text, sentence) name,
    MODE_TABLE(X)
#undef X
};

const char *mode_name(enum mode m);
const char *mode_sentence(enum mode m);
/* False when the text names no mode. */
bool mode_parse(struct str text, enum mode *out);

#endif
