/* A managed key set in JSON and in words: its keys, what the gate awaits and until when. */
#ifndef KEYS_DESCRIBE_H
#define KEYS_DESCRIBE_H

#include "keys/board.h"
#include "keys/store.h"

/* The view of the last step (board_look), or an empty one when there was none. */
enum err keys_describe(struct call *c, const struct key_row *row, const struct board_view *view,
                       json_t **out) MUST_CHECK;

/* Adds "lines": what a described set says, for people. */
void keys_tell(json_t *described);
/* What it says so far: an array, empty at first. */
json_t *keys_lines(json_t *described);

/* {"what", "key", "until", "by", "sentence", "advice", "doubt"} */
json_t *json_waiting(const struct gate_waiting *w);
/* What is awaited, as one sentence; says so when nobody has looked yet. */
void keys_waiting_text(const struct board_view *view, struct buf *out);

#endif
