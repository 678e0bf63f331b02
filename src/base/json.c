#include "base/json.h"

#include <inttypes.h>

static void quote(struct buf *to, struct str s)
{
    buf_add_char(to, '"');
    while (s.n) {
        size_t n = str_utf8_length(s);
        unsigned char c = (unsigned char)s.p[0];
        if (n == 0) {
            buf_add(to, STR("\xef\xbf\xbd"));
            n = 1;
        } else if (c == '"' || c == '\\') {
            buf_add_char(to, '\\');
            buf_add_char(to, (char)c);
        } else if (c < 0x20 || c == 0x7f) {
            buf_printf(to, "\\u%04x", c);
        } else {
            buf_append(to, s.p, n);
        }
        s = str_from(s, n);
    }
    buf_add_char(to, '"');
}

static void begin(struct json_out *j, const char *key)
{
    if (j->comma)
        buf_add_char(j->to, ',');
    j->comma = true;
    if (key) {
        quote(j->to, str_of(key));
        buf_add_char(j->to, ':');
    }
}

void json_open(struct json_out *j, const char *key, char bracket)
{
    begin(j, key);
    buf_add_char(j->to, bracket);
    j->comma = false;
}

void json_close(struct json_out *j, char bracket)
{
    buf_add_char(j->to, bracket);
    j->comma = true;
}

void json_str(struct json_out *j, const char *key, struct str value)
{
    begin(j, key);
    quote(j->to, value);
}

void json_text(struct json_out *j, const char *key, const char *value)
{
    if (value)
        json_str(j, key, str_of(value));
}

void json_num(struct json_out *j, const char *key, int64_t value)
{
    begin(j, key);
    buf_printf(j->to, "%" PRId64, value);
}

void json_bool(struct json_out *j, const char *key, bool value)
{
    begin(j, key);
    buf_add(j->to, value ? STR("true") : STR("false"));
}
