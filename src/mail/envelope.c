#include "mail/envelope.h"

enum { VERSION = 1 };

/* flag bits of the stored form */
enum { F_SMTPUTF8 = 1, F_8BIT = 2, F_REQUIRETLS = 4 };

void envelope_pack(const struct envelope *e, struct buf *out)
{
    buf_add_char(out, VERSION);
    buf_add_char(out, (char)((e->smtputf8 ? F_SMTPUTF8 : 0) | (e->body_8bit ? F_8BIT : 0) |
                             (e->requiretls ? F_REQUIRETLS : 0)));
    buf_add_char(out, (char)e->ret);
    buf_add_u64(out, (uint64_t)e->received_ms);
    buf_add_u64(out, e->size);
    pack_str(out, e->id);
    pack_str(out, e->tenant);
    pack_str(out, e->sender);
    pack_str(out, e->envid);
    pack_str(out, e->peer);
    pack_str(out, e->helo);
    buf_add_u32(out, (uint32_t)e->nrcpt);
    for (size_t i = 0; i < e->nrcpt; i++) {
        pack_str(out, e->rcpt[i].address);
        pack_str(out, e->rcpt[i].orcpt);
        buf_add_char(out, (char)e->rcpt[i].notify);
    }
}

enum err envelope_unpack(struct str packed, struct arena *a, struct envelope *out)
{
    struct unpack u = {.rest = packed};
    *out = (struct envelope){0};
    if (unpack_u8(&u) != VERSION)
        return ERR_CORRUPT;
    uint8_t flags = unpack_u8(&u), ret = unpack_u8(&u);
    out->smtputf8 = flags & F_SMTPUTF8;
    out->body_8bit = flags & F_8BIT;
    out->requiretls = flags & F_REQUIRETLS;
    out->ret = (enum envelope_ret)ret;
    out->received_ms = (int64_t)unpack_u64(&u);
    out->size = unpack_u64(&u);
    out->id = unpack_str(&u);
    out->tenant = unpack_str(&u);
    out->sender = unpack_str(&u);
    out->envid = unpack_str(&u);
    out->peer = unpack_str(&u);
    out->helo = unpack_str(&u);
    uint32_t n = unpack_u32(&u);
    if (u.bad || ret > ENVELOPE_RET_HDRS || n > u.rest.n / 9) /* a recipient takes nine octets at least */
        return ERR_CORRUPT;
    out->rcpt = ARENA_ARRAY(a, struct envelope_rcpt, n);
    out->nrcpt = n;
    for (size_t i = 0; i < n; i++) {
        out->rcpt[i].address = unpack_str(&u);
        out->rcpt[i].orcpt = unpack_str(&u);
        out->rcpt[i].notify = unpack_u8(&u);
    }
    return u.bad || u.rest.n ? ERR_CORRUPT : OK;
}

void envelope_notify_text(uint8_t notify, char out[ENVELOPE_NOTIFY_TEXT])
{
    static const char *const names[] = {"NEVER", "SUCCESS", "FAILURE", "DELAY"};
    size_t n = 0;
    out[0] = 0;
    for (size_t bit = 0; bit < 4; bit++)
        if (notify & 1U << bit)
            n += (size_t)snprintf(out + n, ENVELOPE_NOTIFY_TEXT - n, "%s%s", n ? "," : "", names[bit]);
}
