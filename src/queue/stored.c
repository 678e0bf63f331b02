#include "queue/stored.h"

#include "queue/state.h"

/* Text of others must not make lines of ours. */
static void add_clean(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        buf_add_char(out, c < ' ' || c == 127 ? '?' : (char)c);
    }
}

static void add_recipient(struct buf *out, struct str address, const struct queue_recipient *r)
{
    buf_add(out, STR("To: <"));
    add_clean(out, address);
    buf_printf(out, "> %s", queue_status_name(r->status));
    if (r->reason.n) {
        buf_add_char(out, ' ');
        add_clean(out, r->reason);
    }
    if (r->text.n) {
        buf_add(out, STR(" \""));
        add_clean(out, r->text);
        buf_add_char(out, '"');
    }
    buf_add_char(out, '\n');
}

void stored_write_header(const struct queue_message *m, const struct stored_content *content, struct buf *out)
{
    const struct envelope *e = m->envelope;
    struct buf packed = {0};
    char when[CLOCK_TEXT];
    size_t start = out->n;
    clock_iso(e->received_ms, when);
    buf_printf(out, "Kedge-Queue-File: 1\nId: %s\nReceived: %s\nTenant: ", m->id, when);
    add_clean(out, e->tenant);
    buf_add(out, STR("\nFrom: <"));
    add_clean(out, e->sender);
    buf_add(out, STR(">\n"));
    for (size_t i = 0; i < e->nrcpt; i++)
        add_recipient(out, e->rcpt[i].address, &m->rcpt[i]);
    envelope_pack(e, &packed);
    buf_add(out, STR("Envelope: "));
    base64_append(out, packed.p, packed.n);
    buf_clear(&packed);
    state_pack(m, &packed);
    buf_add(out, STR("\nState: "));
    base64_append(out, packed.p, packed.n);
    buf_printf(out, "\nContent: %s %llu %08x\n", content->is_big ? "big" : "here",
               (unsigned long long)content->size, content->check);
    uint32_t check = crc32c(0, out->p + start, out->n - start);
    buf_printf(out, "Check: %08x\n\n", check);
    buf_release(&packed);
}

size_t stored_header_size(struct str bytes)
{
    size_t at = str_find(bytes, STR("\n\n"));
    return at == SIZE_MAX ? 0 : at + 2;
}

static bool take_u32_hex(struct str text, uint32_t *out)
{
    struct buf b = {0};
    bool ok = hex_decode(&b, text) && b.n == 4;
    *out = ok ? get_u32(b.p) : 0;
    buf_release(&b);
    return ok;
}

/* The line with that name, without it. The checksum was good: what is in the header is what we wrote. */
static struct str line_of(struct str header, struct str name)
{
    while (header.n) {
        struct str line = str_cut(&header, '\n');
        if (str_starts(line, name))
            return str_from(line, name.n);
    }
    return STR_NONE;
}

static struct str decoded(struct arena *a, struct str base64)
{
    struct buf b = {0};
    struct str out = base64_decode(&b, base64) ? arena_str(a, buf_str(&b)) : STR_NONE;
    buf_release(&b);
    return out;
}

enum err stored_read_header(struct str header, struct queue_message *m, struct stored_content *content)
{
    enum { CHECK_LINE = 7 + 8 + 2 };
    uint32_t check;
    if (header.n < CHECK_LINE || !str_starts(header, STR("Kedge-Queue-File: 1\n")))
        return ERR_CORRUPT;
    struct str checked = str_sub(header, 0, header.n - CHECK_LINE);
    struct str last = str_from(header, checked.n);
    if (!str_starts(last, STR("Check: ")) || !take_u32_hex(str_sub(last, 7, 8), &check) ||
        check != crc32c(0, checked.p, checked.n))
        return ERR_CORRUPT;
    if (!str_copy(line_of(checked, STR("Id: ")), m->id, sizeof m->id) || !queue_id_is_valid(str_of(m->id)))
        return ERR_CORRUPT;
    struct str line = line_of(checked, STR("Content: ")), where = str_word(&line), size = str_word(&line);
    content->is_big = str_equal(where, STR("big"));
    if (!str_to_u64(size, &content->size) || !take_u32_hex(str_word(&line), &content->check))
        return ERR_CORRUPT;
    struct envelope *e = ARENA_NEW(&m->arena, struct envelope);
    if (envelope_unpack(decoded(&m->arena, line_of(checked, STR("Envelope: "))), &m->arena, e) != OK)
        return ERR_CORRUPT;
    m->envelope = e;
    m->content_size = content->size;
    return state_unpack(decoded(&m->arena, line_of(checked, STR("State: "))), e->nrcpt, m);
}
