#include "queue/state.h"

enum { VERSION = 2, HELD = 1, TEXT_MAX = 2048 };

static struct str capped(struct str s)
{
    return str_sub(s, 0, TEXT_MAX);
}

void state_pack(const struct queue_message *m, struct buf *out)
{
    buf_add_char(out, VERSION);
    buf_add_char(out, m->held ? HELD : 0);
    buf_add_u32(out, m->attempts);
    buf_add_u64(out, (uint64_t)m->next_ms);
    buf_add_u32(out, (uint32_t)m->envelope->nrcpt);
    for (size_t i = 0; i < m->envelope->nrcpt; i++) {
        const struct queue_recipient *r = &m->rcpt[i];
        buf_add_char(out, (char)r->status);
        buf_add_u32(out, r->attempts);
        buf_add_u64(out, (uint64_t)r->last_ms);
        buf_add_u64(out, (uint64_t)r->next_ms);
        buf_add_u64(out, (uint64_t)r->warned_ms);
        pack_str(out, capped(r->reason));
        pack_str(out, capped(r->text));
    }
}

static bool unpack_front(struct unpack *u, struct queue_message *m)
{
    if (unpack_u8(u) != VERSION)
        return false;
    m->held = unpack_u8(u) & HELD;
    m->attempts = unpack_u32(u);
    m->next_ms = (int64_t)unpack_u64(u);
    return !u->bad;
}

bool state_peek(struct str packed, struct state_brief *out)
{
    struct unpack u = {.rest = packed};
    struct queue_message m = {0};
    bool ok = unpack_front(&u, &m);
    *out = (struct state_brief){m.held, m.attempts, m.next_ms};
    return ok;
}

enum err state_unpack(struct str packed, size_t nrcpt, struct queue_message *m)
{
    struct unpack u = {.rest = packed};
    if (!unpack_front(&u, m) || unpack_u32(&u) != nrcpt)
        return ERR_CORRUPT;
    m->rcpt = ARENA_ARRAY(&m->arena, struct queue_recipient, nrcpt);
    for (size_t i = 0; i < nrcpt && !u.bad; i++) {
        struct queue_recipient *r = &m->rcpt[i];
        uint8_t status = unpack_u8(&u);
        if (status > QUEUE_DISCARDED)
            return ERR_CORRUPT;
        r->status = (enum queue_status)status;
        r->attempts = unpack_u32(&u);
        r->last_ms = (int64_t)unpack_u64(&u);
        r->next_ms = (int64_t)unpack_u64(&u);
        r->warned_ms = (int64_t)unpack_u64(&u);
        r->reason = arena_str(&m->arena, unpack_str(&u));
        r->text = arena_str(&m->arena, unpack_str(&u));
    }
    return u.bad || u.rest.n ? ERR_CORRUPT : OK;
}

const char *queue_status_name(enum queue_status s)
{
    static const char *const names[] = {
#define X(name, text, sentence) [name] = (text),
        QUEUE_STATUS_TABLE(X)
#undef X
    };
    return names[s];
}
