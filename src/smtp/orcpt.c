#include "smtp/orcpt.h"

#include "smtp/xtext.h"

enum { VALUE_MAX = 500 }; /* RFC 3461 section 4.2 */

static bool is_utf8_type(struct str type)
{
    return str_equal_nocase(type, STR("utf-8"));
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20; /* ABNF: in either case */
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* HEXPOINT names what cannot stand for itself; and no control character, which no mailbox has. */
static bool is_embeddable(uint32_t point)
{
    if (point < 0x80)
        return point == ' ' || point == '+' || point == '=' || point == '\\';
    return point < 0x110000 && (point < 0xd800 || point > 0xdfff);
}

/* Length of \x{HEX} at the start of s, 0 when there is none. */
static size_t embedded_length(struct str s)
{
    if (!str_starts(s, STR("\\x{")))
        return 0;
    uint32_t point = 0;
    size_t at = 3;
    for (int digit; at < s.n && at < 3 + 6 && (digit = hex_digit(s.p[at])) >= 0; at++)
        point = point << 4 | (uint32_t)digit;
    bool shortest = at >= 3 + 2 && s.p[3] != '0';
    return at < s.n && s.p[at] == '}' && shortest && is_embeddable(point) ? at + 1 : 0;
}

/* utf-8-addr-unitext, of which utf-8-addr-xtext is a part. */
static bool is_unitext(struct str s)
{
    for (size_t at = 0, n; at < s.n; at += n) {
        struct str rest = str_from(s, at);
        unsigned char c = (unsigned char)rest.p[0];
        n = c == '\\' ? embedded_length(rest) : str_utf8_length(rest);
        if (n == 0 || c == '+' || c == '=' || c == 127 || c <= ' ')
            return false;
    }
    return s.n > 0;
}

/* One character of at least two octets, well-formed. */
static uint32_t code_point(struct str c)
{
    uint32_t point = (uint8_t)c.p[0] & (0x7fU >> c.n);
    for (size_t i = 1; i < c.n; i++)
        point = point << 6 | ((uint8_t)c.p[i] & 0x3fU);
    return point;
}

/* utf-8-addr-xtext: the same in seven bits. */
static void add_seven_bits(struct buf *out, struct str unitext)
{
    for (size_t at = 0, n; at < unitext.n; at += n) {
        n = str_utf8_length(str_from(unitext, at));
        struct str c = str_sub(unitext, at, n);
        if (n == 1)
            buf_add(out, c);
        else
            buf_printf(out, "\\x{%X}", (unsigned)code_point(c));
    }
}

static bool is_xtext(struct str s)
{
    struct buf decoded = {0};
    bool good = s.n && smtp_xtext_decode(s, &decoded);
    buf_release(&decoded);
    return good;
}

bool smtp_orcpt_is_valid(struct str value)
{
    struct str address = value, type = str_cut(&address, ';');
    if (!type.n || value.n > VALUE_MAX)
        return false;
    for (size_t i = 0; i < type.n; i++)
        if ((unsigned char)type.p[i] <= ' ' || (unsigned char)type.p[i] > 126)
            return false;
    return is_utf8_type(type) ? is_unitext(address) : is_xtext(address);
}

void smtp_orcpt_decode(struct str value, struct buf *out)
{
    struct str address = value, type = str_cut(&address, ';');
    buf_add(out, type);
    buf_add_char(out, ';');
    if (is_utf8_type(type))
        buf_add(out, address);
    else
        ENSURE(smtp_xtext_decode(address, out));
}

bool smtp_orcpt_encode(struct str kept, bool smtputf8, struct buf *out)
{
    struct str address = kept, type = str_cut(&address, ';');
    size_t start = out->n;
    buf_add(out, type);
    buf_add_char(out, ';');
    if (!is_utf8_type(type))
        smtp_xtext_encode(address, out);
    else if (!is_unitext(address))
        return false;
    else if (smtputf8)
        buf_add(out, address);
    else
        add_seven_bits(out, address);
    return type.n && address.n && out->n - start <= VALUE_MAX;
}
