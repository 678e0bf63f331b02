/* A process gives up all that a reader of reports does not need. */
#ifndef REPORT_CONFINE_PRIV_H
#define REPORT_CONFINE_PRIV_H

#include "base/base.h"

/* Leaves the descriptors that are open, bounded memory and time, and ending. Anything else that is tried
 * afterwards kills the process. False when a part of it cannot be had: then nothing may be read. */
bool report_confine(void);

#endif
