/* What a rollout is like, in sentences for people. */
#ifndef ROLLOUT_TELL_H
#define ROLLOUT_TELL_H

#include <jansson.h>

#include "rollout/store.h"

/* Adds "lines" to what describes the rollout; its "failures" are told, too. */
void rollout_tell(const struct rollout *r, json_t *described);

#endif
