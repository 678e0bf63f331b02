/*
 * base: what every module stands on. Bytes (str, buf), memory (arena, map), time (clock), errors (err), logs
 * (log), random numbers (rand), text codecs (codec), checksums (crc), files, threads, JSON writing.
 *
 * Knows nothing of mail, DNS or TLS and does no network I/O. Out of memory and broken invariants abort (see
 * die.h): callers never check for NULL from an allocation. No mutable globals but the log's sink and the
 * clock's test override.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include "base/arena.h"
#include "base/banned.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/crew.h"
#include "base/die.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/lru.h"
#include "base/map.h"
#include "base/rand.h"
#include "base/str.h"
#include "base/thread.h"

#endif
