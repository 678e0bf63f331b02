/*
 * keys: key sets and the rollover gate: which keys there are, which TLSA records they need, and when a key
 * may move from one state to the next (G1 to G5), decided by a pure function over evidence.
 *
 * Knows nothing of DNS messages and sockets: evidence comes in as data. Owns the rows of keys in the database.
 */
#ifndef KEYS_KEYS_H
#define KEYS_KEYS_H

#include "base/base.h"

#endif
