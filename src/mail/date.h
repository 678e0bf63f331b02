/* Dates of RFC 5322 section 3.3, always written in UTC. Pure. */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include "base/base.h"

enum { MAIL_DATE_TEXT = 32 };
/* "Mon, 23 Nov 2026 20:22:40 +0000" from Unix time in ms. */
void mail_date(int64_t wall_ms, char out[MAIL_DATE_TEXT]);

#endif
