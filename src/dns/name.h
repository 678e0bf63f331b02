/* Domain names as text. Inside Kedge a name is A-labels, lower case, without the trailing dot, labels of 1 to
 * 63 octets, at most 253 in all; the root is the empty name. Names are brought into this form where they
 * enter (command line, configuration, envelope, DNS answer) and compared byte by byte from then on. */
#ifndef DNS_NAME_H
#define DNS_NAME_H

#include "base/arena.h"
#include "base/err.h"

enum { DNS_NAME_MAX = 253, DNS_LABEL_MAX = 63 };

/* Text as a human or a mail address writes it (UTF-8 through IDNA 2008 with its mapping, one trailing dot
 * allowed) into that form. ERR_MALFORMED when it is no domain name; "." is the root. */
enum err dns_name_normalise(struct arena *a, struct str text, struct str *out) MUST_CHECK;
/* Can be the name of a host: letters, digits, hyphens and underscores, at least one label, the last not only
 * digits (so no IPv4 address), no label beginning or ending with a hyphen. */
bool dns_name_is_host(struct str name);
/* name is parent or lies below it. */
bool dns_name_is_within(struct str name, struct str parent);
/* "_25._tcp.<base>". */
struct str dns_name_tlsa(struct arena *a, unsigned port, struct str base);

#endif
