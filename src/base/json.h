/* JSON writing into a buf, without a tree: for logs of events on hot paths. Reading, and everything else,
 * uses Jansson. Output is I-JSON: invalid UTF-8 is replaced by U+FFFD, control characters are escaped. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

struct json_out {
    struct buf *to;
    bool comma; /* the next item needs one */
};

/* key NULL inside arrays and at the top. */
void json_open(struct json_out *j, const char *key, char bracket); /* '{' or '[' */
void json_close(struct json_out *j, char bracket);                 /* '}' or ']' */
void json_str(struct json_out *j, const char *key, struct str value);
void json_text(struct json_out *j, const char *key, const char *value); /* NULL: the item is left out */
void json_num(struct json_out *j, const char *key, int64_t value);
void json_bool(struct json_out *j, const char *key, bool value);

#endif
