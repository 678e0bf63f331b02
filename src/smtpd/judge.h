/* May this recipient be taken? The answer of the directory: accepted domains and their recipients,
 * postmaster, and who may relay out. Everything else is refused, in whatever disguise. */
#ifndef SMTPD_JUDGE_H
#define SMTPD_JUDGE_H

#include "directory/directory.h"
#include "smtpd/ask.h"
#include "smtpd/outside.h"

struct judge_args {
    struct directory *directory;
    struct ask *ask; /* NULL: nobody can be asked, and such recipients are never sure */
};

struct smtpd_verdict judge_recipient(const struct judge_args *j, const struct smtpd_question *q,
                                     struct arena *a);

#endif
