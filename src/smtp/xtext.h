/* xtext, RFC 3461 section 4: printable ASCII with +HH for the rest. */
#ifndef SMTP_XTEXT_H
#define SMTP_XTEXT_H

#include "base/base.h"

/* Whether s follows the grammar. */
bool smtp_xtext_is_valid(struct str s);
/* Appends; false when s does not follow the grammar or decodes to a control character. */
bool smtp_xtext_decode(struct str s, struct buf *out);
void smtp_xtext_encode(struct str s, struct buf *out);

#endif
