/* A command line, split by the exact grammar of RFC 5321 section 4.1.1 and its extensions. */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include "base/base.h"

/* Verb, what may follow it. */
#define SMTP_VERB_TABLE(X)                                                                                   \
    X(HELO, SMTP_ARGS_WORD)                                                                                  \
    X(EHLO, SMTP_ARGS_WORD)                                                                                  \
    X(LHLO, SMTP_ARGS_WORD)                                                                                  \
    X(MAIL, SMTP_ARGS_FROM)                                                                                  \
    X(RCPT, SMTP_ARGS_TO)                                                                                    \
    X(DATA, SMTP_ARGS_NONE)                                                                                  \
    X(BDAT, SMTP_ARGS_CHUNK)                                                                                 \
    X(RSET, SMTP_ARGS_NONE)                                                                                  \
    X(NOOP, SMTP_ARGS_ANY)                                                                                   \
    X(QUIT, SMTP_ARGS_NONE)                                                                                  \
    X(VRFY, SMTP_ARGS_SOME)                                                                                  \
    X(EXPN, SMTP_ARGS_SOME)                                                                                  \
    X(HELP, SMTP_ARGS_ANY)                                                                                   \
    X(STARTTLS, SMTP_ARGS_NONE)                                                                              \
    X(AUTH, SMTP_ARGS_SOME)                                                                                  \
    X(ETRN, SMTP_ARGS_SOME)                                                                                  \
    X(TURN, SMTP_ARGS_NONE)

enum smtp_verb {
    SMTP_UNKNOWN, /* not in the table */
#define X(verb, args) SMTP_##verb,
    SMTP_VERB_TABLE(X)
#undef X
        SMTP_VERB_COUNT
};

enum { SMTP_PARAMS_MAX = 20 };

/* keyword[=value] behind a path. */
struct smtp_raw_param {
    struct str keyword;
    struct str value; /* p NULL when there was no "=" */
};

struct smtp_command {
    enum smtp_verb verb;
    struct str word; /* the verb as it came */
    struct str args; /* everything behind the verb's blank, trailing blanks gone */
    struct str path; /* MAIL, RCPT: with its angle brackets; its inside is mail's to judge */
    struct smtp_raw_param param[SMTP_PARAMS_MAX];
    size_t param_n;
    uint64_t chunk_size; /* BDAT */
    bool chunk_is_last;
};

/* Names of the verdicts of this and smtp/param: which reply they deserve. */
enum smtp_syntax {
    SMTP_SYNTAX_OK,
    SMTP_SYNTAX_UNKNOWN,  /* 500 5.5.2: no such verb, or not a verb at all */
    SMTP_SYNTAX_ARGS,     /* 501 5.5.4: arguments against the grammar */
    SMTP_SYNTAX_PARAM,    /* 555 5.5.4: parameter not known or not offered */
    SMTP_SYNTAX_TOO_MANY, /* 501 5.5.4: more than SMTP_PARAMS_MAX parameters */
};

/* line is without CRLF. Octets above 127 are allowed in path, values and free text: whether UTF-8 is welcome
 * is the session's to decide (SMTPUTF8). *why gets a short static text when the verdict is not OK ("blank
 * before the path"). Trailing blanks are tolerated as RFC 5321 4.1.1 asks; nothing else is. */
enum smtp_syntax smtp_command_parse(struct str line, struct smtp_command *out, const char **why);

/* "MAIL"; "" for SMTP_UNKNOWN. */
const char *smtp_verb_name(enum smtp_verb verb);

#endif
