/* The value of ORCPT: addr-type ";" address. The address is xtext (RFC 3461 section 4.2), but that of type
 * utf-8 has an encoding of its own (RFC 6533 section 3): \x{HEX} and, where SMTPUTF8 is in force, raw UTF-8.
 */
#ifndef SMTP_ORCPT_H
#define SMTP_ORCPT_H

#include "base/base.h"

bool smtp_orcpt_is_valid(struct str value);
/* Appends what is kept of a valid value: xtext decoded, an address of type utf-8 as it was sent (a report of
 * a delivery wants it so, too). */
void smtp_orcpt_decode(struct str value, struct buf *out);
/* Appends the value again. False when what is kept has no form that the peer takes. */
bool smtp_orcpt_encode(struct str kept, bool smtputf8, struct buf *out);

#endif
