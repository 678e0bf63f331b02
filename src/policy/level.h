/* Levels of security towards a host, and what gave a host its level. */
#ifndef POLICY_LEVEL_H
#define POLICY_LEVEL_H

#include "base/base.h"

/* X(NAME, "name", "sentence"), weakest first. */
#define LEVEL_TABLE(X)                                                                                       \
    X(NONE, "none", "TLS when the server offers it, clear text otherwise")                                   \
    X(ENCRYPT, "encrypt", "TLS or nothing; the server is not authenticated")                                 \
    X(VERIFY, "verify",                                                                                      \
      "a certificate for the host's name from a known authority (mailbox hosts) or nothing")                 \
    X(STS, "sts", "a certificate that satisfies the domain's MTA-STS policy or nothing")                     \
    X(DANE, "dane", "a certificate that a TLSA record vouches for or nothing")

enum level {
#define X(name, text, sentence) LEVEL_##name,
    LEVEL_TABLE(X)
#undef X
};

/* X(NAME, "name", "sentence"): answers "why this level?". With reason dane-required it says what is missing.
 */
#define CAUSE_TABLE(X)                                                                                       \
    X(UNDECIDED, "undecided", "no host has been decided on")                                                 \
    X(TLSA, "tlsa", "the host has a secure, usable TLSA record")                                             \
    X(TLSA_UNUSABLE, "tlsa-unusable", "the host has secure TLSA records, none of them usable")               \
    X(NO_TLSA, "no-tlsa", "the host has no TLSA record")                                                     \
    X(TLSA_INSECURE, "tlsa-insecure", "the host's TLSA records are not signed")                              \
    X(ADDRESS_INSECURE, "address-insecure", "the host's addresses are not signed")                           \
    X(ALIAS_INSECURE, "alias-insecure", "the host is an alias that is not signed")                           \
    X(MX_INSECURE, "mx-insecure", "the domain's MX records are not signed")                                  \
    X(LITERAL, "address-literal", "an address literal has no name that TLSA records could belong to")        \
    X(MODE_OFF, "mode-off", "the mode of the domain is off")                                                 \
    X(MAILBOX_HOST, "mailbox-host", "the domain is accepted here; its entry names the host and the level")

enum level_cause {
#define X(name, text, sentence) CAUSE_##name,
    CAUSE_TABLE(X)
#undef X
};

const char *level_name(enum level level);
const char *level_sentence(enum level level);
const char *level_cause_name(enum level_cause cause);
const char *level_cause_sentence(enum level_cause cause);

#endif
