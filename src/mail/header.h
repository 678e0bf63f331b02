/* The header section of a message: a scanner that takes the content in pieces of any size and remembers only
 * what the edge needs, and a cut that finds the section's end. Nothing here changes a message. Pure. */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/base.h"

enum { HEADER_VALUE_MAX = 256 };

/* Zero-initialise. */
struct header_scan {
    size_t received;                   /* Received fields so far */
    uint64_t octets;                   /* of the header section so far, the empty line included */
    bool ended;                        /* the empty line was seen: the rest is body */
    bool has_8bit;                     /* an octet above 127 in the header section */
    char message_id[HEADER_VALUE_MAX]; /* value of the first Message-ID, trimmed; "" when none or too long */
    /* the rest is the scanner's own */
    size_t line_n;
    char line[HEADER_VALUE_MAX + 16];
    bool id_open; /* the current field is the first Message-ID */
};
/* Content with CRLF line ends. Stops looking when the section has ended. */
void header_scan(struct header_scan *h, struct str piece);

/* The header section of a whole message: everything up to and including the CRLF of the last field, without
 * the empty line. */
struct str header_section(struct str message);
/* The value of the first field of that name, unfolded (line breaks removed) and trimmed, in the arena; false
 * when absent. */
bool header_value(struct str section, struct str name, struct arena *a, struct str *out);

#endif
