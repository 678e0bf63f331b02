/* Reads a report in a process of its own that has nothing to lose: this program started anew (so none of our
 * memory is in it), no descriptors but its input and output, limits on memory, time and processes, and a
 * filter of system calls that leaves reading, writing and memory. What comes back is checked again. */
#ifndef REPORT_READER_H
#define REPORT_READER_H

#include "report/tlsrpt.h"

/* First thing in main of a program that calls report_read: when it was started as the reader it does that and
 * does not return. */
void report_reader_main(int argc, char **argv);

/* The report in input, in the arena. ERR_MALFORMED or ERR_FULL with what is wrong with it, also when the
 * reader did not survive it; ERR_SYSTEM when none could be started. Takes seconds at most. */
enum err report_read(struct str input, struct arena *a, struct tlsrpt *out, struct buf *why) MUST_CHECK;

#endif
