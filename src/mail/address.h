/* Mail addresses by the grammar of RFC 5321 section 4.1.2, with the extensions of RFC 6531 where the caller
 * allows them. What the grammar does not allow is refused, never guessed. Pure. */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include "base/base.h"

enum { MAIL_LOCAL_MAX = 64, MAIL_DOMAIN_MAX = 255, MAIL_PATH_MAX = 256 };

struct mail_address {
    struct str
        text; /* the mailbox as written, without angle brackets and source route; empty for the null path */
    struct str local;  /* local part as written, quotes included */
    struct str domain; /* as written; empty for the null path and for a bare "postmaster" */
    bool is_quoted;    /* the local part is a quoted string */
    bool is_literal;   /* the domain is an address literal, brackets included */
    bool has_route;    /* a source route was there (to be ignored, RFC 5321 C) */
    bool has_utf8;     /* needs SMTPUTF8 */
};

enum mail_path_kind {
    MAIL_REVERSE_PATH, /* "<>" is allowed */
    MAIL_FORWARD_PATH, /* "<postmaster>" is allowed */
};

/* "<...>" of MAIL FROM or RCPT TO; the whole text must be the path. utf8 says whether SMTPUTF8 is in force.
 * On ERR_MALFORMED out is empty and *why (may be NULL) a constant sentence. */
enum err mail_path_parse(struct str text, enum mail_path_kind kind, bool utf8, struct mail_address *out,
                         const char **why) MUST_CHECK;
/* A bare mailbox: local@domain, nothing around it. */
enum err mail_address_parse(struct str text, bool utf8, struct mail_address *out,
                            const char **why) MUST_CHECK;

/* The local part without quotes and backslashes, in the arena. */
struct str mail_local_unquoted(struct arena *a, const struct mail_address *address);
/* "postmaster" in any case, quoted or not. */
bool mail_is_postmaster(const struct mail_address *address);
/* What is behind the last @ of a stored envelope address (never a path); empty when there is none. */
struct str mail_domain_of(struct str address);
struct str mail_local_of(struct str address);

/* Domain of EHLO, MAIL or RCPT: RFC 5321 Domain, U-labels too when utf8. No trailing dot, labels of 1 to 63
 * octets. */
bool mail_domain_is_valid(struct str domain, bool utf8);
/* "[192.0.2.1]" or "[IPv6:2001:db8::1]". Tags of the general form need a registration (RFC 5321 4.1.3); IPv6
 * is the only one. */
bool mail_literal_is_valid(struct str literal);

#endif
