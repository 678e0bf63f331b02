#include "dns/wire.h"

#include "base/codec.h"
#include "dns/name.h"

static const uint8_t *take(struct dns_reader *r, size_t n)
{
    if (r->bad || n > r->end - r->at) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *p = r->message + r->at;
    r->at += n;
    return p;
}

uint8_t dns_read_u8(struct dns_reader *r)
{
    const uint8_t *p = take(r, 1);
    return p ? *p : 0;
}

uint16_t dns_read_u16(struct dns_reader *r)
{
    const uint8_t *p = take(r, 2);
    return p ? get_u16(p) : 0;
}

uint32_t dns_read_u32(struct dns_reader *r)
{
    const uint8_t *p = take(r, 4);
    return p ? get_u32(p) : 0;
}

struct str dns_read_bytes(struct dns_reader *r, size_t n)
{
    const uint8_t *p = take(r, n);
    return p ? str_make((const char *)p, n) : STR_NONE;
}

static void add_octet(struct dns_name_text *out, uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        c = (uint8_t)(c + 'a' - 'A');
    if (c > ' ' && c < 0x7f && !strchr(".\\\"();@$", c)) {
        out->p[out->n++] = (char)c;
        return;
    }
    out->p[out->n++] = '\\';
    out->p[out->n++] = (char)('0' + c / 100);
    out->p[out->n++] = (char)('0' + c / 10 % 10);
    out->p[out->n++] = (char)('0' + c % 10);
}

void dns_read_name(struct dns_reader *r, struct dns_name_text *out)
{
    struct dns_reader at = *r; /* jumps; r itself stops behind the first pointer */
    size_t lowest = r->at, octets = 1;
    bool jumped = false;
    out->n = 0;
    for (;;) {
        uint8_t length = dns_read_u8(&at);
        if (at.bad || (length & 0xc0) == 0x40 || (length & 0xc0) == 0x80)
            break;
        if (length & 0xc0) {
            size_t target = (size_t)(length & 0x3f) << 8 | dns_read_u8(&at);
            if (at.bad || target >= lowest)
                break;
            if (!jumped)
                r->at = at.at;
            jumped = true;
            lowest = at.at = target;
            continue;
        }
        if (length == 0) {
            if (!jumped)
                r->at = at.at;
            return;
        }
        struct str label = dns_read_bytes(&at, length);
        octets += 1U + length;
        if (at.bad || octets > 255)
            break;
        if (out->n)
            out->p[out->n++] = '.';
        for (size_t i = 0; i < label.n; i++)
            add_octet(out, (uint8_t)label.p[i]);
    }
    r->bad = true;
    out->n = 0;
}

bool dns_read_rr(struct dns_reader *r, struct dns_rr *out)
{
    dns_read_name(r, &out->owner);
    out->type = dns_read_u16(r);
    out->class = dns_read_u16(r);
    out->ttl = dns_read_u32(r);
    size_t n = dns_read_u16(r);
    size_t start = r->at;
    (void)dns_read_bytes(r, n);
    out->rdata = (struct dns_reader){.message = r->message, .at = start, .end = r->at, .bad = r->bad};
    return !r->bad;
}

bool dns_write_name(struct buf *out, struct str name)
{
    size_t start = out->n;
    struct str rest = name;
    while (rest.n) {
        struct str label = str_cut(&rest, '.');
        bool ends_in_dot = rest.p && rest.n == 0;
        if (label.n == 0 || label.n > DNS_LABEL_MAX || ends_in_dot ||
            str_find_char(label, '\\') != SIZE_MAX) {
            out->n = start;
            return false;
        }
        buf_add_char(out, (char)label.n);
        buf_add(out, label);
    }
    buf_add_char(out, 0);
    if (out->n - start > 255) {
        out->n = start;
        return false;
    }
    return true;
}

void dns_write_name_text(struct buf *out, const struct dns_name_text *name)
{
    for (size_t i = 0; i < name->n; i++) {
        size_t length_at = out->n;
        buf_add_char(out, 0);
        for (; i < name->n && name->p[i] != '.'; i++) {
            const char *digit = name->p + i + 1;
            if (name->p[i] != '\\') {
                buf_add_char(out, name->p[i]);
                continue;
            }
            buf_add_char(out, (char)((digit[0] - '0') * 100 + (digit[1] - '0') * 10 + digit[2] - '0'));
            i += 3;
        }
        out->p[length_at] = (char)(out->n - length_at - 1);
    }
    buf_add_char(out, 0);
}
