#include "smtp/xtext.h"

/* RFC 3461: xchar is any ASCII CHAR between "!" and "~" except "+" and "="; hexdigits are upper case. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_xchar(char c)
{
    return c >= '!' && c <= '~' && c != '+' && c != '=';
}

/* Length of the xtext unit at i (1 or 3), its octet in *octet; 0 when there is none. */
static size_t unit(struct str s, size_t i, char *octet)
{
    if (is_xchar(s.p[i])) {
        *octet = s.p[i];
        return 1;
    }
    if (s.p[i] != '+' || s.n - i < 3)
        return 0;
    int high = hex_value(s.p[i + 1]), low = hex_value(s.p[i + 2]);
    if (high < 0 || low < 0)
        return 0;
    *octet = (char)(high << 4 | low);
    return 3;
}

bool smtp_xtext_is_valid(struct str s)
{
    char octet;
    size_t step = 0;
    for (size_t i = 0; i < s.n; i += step)
        if (!(step = unit(s, i, &octet)))
            return false;
    return true;
}

bool smtp_xtext_decode(struct str s, struct buf *out)
{
    char octet;
    size_t step = 0;
    for (size_t i = 0; i < s.n; i += step) {
        step = unit(s, i, &octet);
        if (!step || (unsigned char)octet < ' ' || octet == 127)
            return false;
        buf_add_char(out, octet);
    }
    return true;
}

void smtp_xtext_encode(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        if (is_xchar(s.p[i]))
            buf_add_char(out, s.p[i]);
        else
            buf_printf(out, "+%02X", (unsigned)(unsigned char)s.p[i]);
    }
}
