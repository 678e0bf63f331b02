/* Zones as people and programs are told of them. */
#ifndef ZONE_KEEP_JSON_H
#define ZONE_KEEP_JSON_H

#include "zone/keeper_priv.h"

json_t *keep_record_json(const struct dns_raw *r);
/* Of the last rounds; with the keeper's lock held. "good": level everywhere, nothing waits. */
json_t *keep_status_json(const struct keep_zone *z, const struct zone_row *row);
json_t *keep_status_lines(const json_t *status);
/* "good": every server shows the same valid records. hosts: of keep_ask_hosts_json; NULL: there are none. */
json_t *keep_evidence_json(const struct zone_evidence *e, const json_t *hosts);
json_t *keep_evidence_lines(const struct zone_evidence *e, const json_t *described);

#endif
