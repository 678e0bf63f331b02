/*
 * zone: the operator's signed MX zones: which records the database wants there (pure), what is there, the
 * difference sent as DNS UPDATE, and whether every authoritative server says so. Records that Kedge did not
 * create are reported and never touched.
 *
 * Knows DNS servers by address and zones by name; nothing of when a key may move (keys) and nothing of a
 * server's product. Never holds the database's lock while it waits for the network.
 */
#ifndef ZONE_ZONE_H
#define ZONE_ZONE_H

#include "base/base.h"

#endif
