/* Names of journal files: <producer>-YYYY-MM-DD.jsonl. Pure. */
#ifndef JOURNAL_NAME_H
#define JOURNAL_NAME_H

#include "journal/journal.h"

enum { JOURNAL_PRODUCER = 16, JOURNAL_DAY = 11 };

struct journal_name {
    char producer[JOURNAL_PRODUCER];
    char day[JOURNAL_DAY]; /* sorts by time */
};
bool journal_name_parse(struct str name, struct journal_name *out);

#endif
