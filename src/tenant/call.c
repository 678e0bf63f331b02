#include "tenant/call.h"

#include "dns/name.h"
#include "net/addr.h"

const char *change_name(enum change_kind k)
{
    static const char *const names[] = {
#define X(name, text) text,
        CHANGE_TABLE(X)
#undef X
    };
    return names[k];
}

static struct str text_of(const json_t *value)
{
    return json_is_string(value) ? str_make(json_string_value(value), json_string_length(value)) : STR_NONE;
}

struct str arg_text(const struct call *c, const char *name)
{
    return text_of(json_object_get(c->args, name));
}

bool arg_has(const struct call *c, const char *name)
{
    const json_t *value = json_object_get(c->args, name);
    return value && !json_is_null(value);
}

bool arg_is_set(const struct call *c, const char *name)
{
    struct str text = arg_text(c, name);
    return json_is_true(json_object_get(c->args, name)) || str_equal(text, STR("true")) ||
           str_equal(text, STR("yes"));
}

size_t arg_count(const struct call *c, const char *name)
{
    const json_t *value = json_object_get(c->args, name);
    return json_is_array(value) ? json_array_size(value) : json_is_string(value) ? 1 : 0;
}

struct str arg_at(const struct call *c, const char *name, size_t i)
{
    const json_t *value = json_object_get(c->args, name);
    return text_of(json_is_array(value) ? json_array_get(value, i) : value);
}

enum err arg_each(struct call *c, const char *name, enum err (*one)(struct call *c, struct str text))
{
    size_t count = arg_count(c, name);
    c->result = json_array();
    if (!count)
        buf_set(c->why, "%s is missing", name);
    enum err e = count ? OK : ERR_USAGE;
    for (size_t i = 0; !e && i < count; i++)
        e = one(c, arg_at(c, name, i));
    return e;
}

enum err arg_need(struct call *c, const char *name, struct str *out)
{
    *out = arg_text(c, name);
    if (out->n)
        return OK;
    buf_set(c->why, "%s is missing", name);
    return ERR_USAGE;
}

enum err name_normal(struct call *c, struct str text, struct str *out)
{
    if (!dns_name_normalise(c->a, text, out) && dns_name_is_host(*out))
        return OK;
    buf_set(c->why, "'%.*s' is not a domain name", STR_ARG(text));
    return ERR_USAGE;
}

enum err pattern_normal(struct call *c, struct str text, struct str *out)
{
    if (str_equal(text, STR("*"))) {
        *out = text;
        return OK;
    }
    struct str name = str_starts(text, STR("*."))  ? str_from(text, 2)
                      : str_starts(text, STR(".")) ? str_from(text, 1)
                                                   : text;
    enum err e = name_normal(c, name, out);
    if (!e && name.n != text.n)
        *out = arena_printf(c->a, ".%.*s", STR_ARG(*out));
    return e;
}

enum err host_port(struct call *c, struct str text, uint16_t default_port, struct str *host, uint16_t *port)
{
    struct addr address;
    char ip[ADDR_TEXT];
    if (addr_parse(text, default_port, &address)) {
        *host = arena_str(c->a, str_of(addr_ip_format(&address, ip)));
        *port = addr_port(&address);
    } else {
        struct str port_text = text;
        struct str name = str_cut(&port_text, ':');
        uint32_t number = default_port;
        if (port_text.p && (!str_to_u32(port_text, &number) || number > UINT16_MAX))
            number = 0;
        *port = (uint16_t)number;
        if (*port && name_normal(c, name, host))
            return ERR_USAGE;
    }
    if (*port)
        return OK;
    buf_set(c->why,
            "'%.*s' is not HOST:PORT (a name, an IPv4 address or an IPv6 address in brackets; a port from 1 "
            "to 65535)",
            STR_ARG(text));
    return ERR_USAGE;
}

struct str host_port_text(struct arena *a, struct str host, uint16_t port)
{
    bool bare_v6 = str_find_char(host, ':') != SIZE_MAX;
    return arena_printf(a, bare_v6 ? "[%.*s]:%u" : "%.*s:%u", STR_ARG(host), port);
}

enum err tenant_id_of(struct call *c, struct str name, enum tenant_every every, int64_t *id)
{
    *id = 0;
    if (every == TENANT_OR_EVERY && str_equal(name, STR("*")))
        return OK;
    struct db_query *q = db_query(c->db, "SELECT id FROM tenant WHERE name = $1");
    db_bind_text(q, name);
    enum err e = db_get_int(q, id, c->why);
    if (e == ERR_NOT_FOUND)
        buf_set(c->why,
                "there is no tenant '%.*s'; \"kedge tenant list\" shows those there are, \"kedge tenant add "
                "%.*s\" makes it",
                STR_ARG(name), STR_ARG(name));
    return e;
}

struct str tenant_name_of(struct call *c, int64_t id)
{
    if (id == 0)
        return STR("*");
    struct db_query *q = db_query(c->db, "SELECT name FROM tenant WHERE id = $1");
    db_bind_int(q, id);
    struct str name = db_next(q) ? arena_str(c->a, db_text(q, 0)) : STR("?");
    return db_end(q, NULL) ? STR("?") : name;
}

bool call_progress(struct call *c, json_t *line)
{
    if (c->progress)
        return c->progress(c->progress_ctx, line);
    json_decref(line);
    return true;
}

static enum err start_epoch(struct call *c)
{
    uint8_t random[8];
    struct buf mark = {0};
    rand_bytes(random, sizeof random);
    hex_append(&mark, random, sizeof random);
    struct db_query *q = db_query(c->db, "UPDATE meta SET epoch = epoch + 1, mark = $1");
    db_bind_text(q, buf_str(&mark));
    enum err e = db_run(q, NULL, c->why);
    buf_release(&mark);
    return e ? e : db_get_int(db_query(c->db, "SELECT epoch FROM meta"), &c->epoch, c->why);
}

enum err change_note(struct call *c, enum change_kind kind, struct str key1, struct str key2)
{
    bool is_key = kind == CHANGE_KEY || kind == CHANGE_KEY_NAME;
    enum err e = c->epoch ? OK : start_epoch(c);
    if (!e && is_key && !c->has_key_epoch)
        e = db_run(db_query(c->db, "UPDATE meta SET key_epoch = epoch, key_mark = mark"), NULL, c->why);
    c->has_key_epoch |= is_key;
    if (e)
        return e;
    struct db_query *q = db_query(c->db, "INSERT INTO change (epoch, kind, key1, key2, mark)"
                                         " SELECT $1, $2, $3, $4, mark FROM meta");
    db_bind_int(q, c->epoch);
    db_bind_text(q, str_of(change_name(kind)));
    db_bind_text(q, key1);
    db_bind_text(q, key2);
    return db_run(q, NULL, c->why);
}

struct str id_text(struct arena *a, int64_t id)
{
    return arena_printf(a, "%lld", (long long)id);
}

enum err new_id(struct call *c, int64_t *id)
{
    enum err e = db_run(db_query(c->db, "UPDATE meta SET last_id = last_id + 1"), NULL, c->why);
    return e ? e : db_get_int(db_query(c->db, "SELECT last_id FROM meta"), id, c->why);
}

json_t *json_of(struct str s)
{
    json_t *text = json_stringn(s.p ? s.p : "", s.n);
    return text ? text : json_string("?"); /* not UTF-8 */
}

json_t *json_time(int64_t ms)
{
    char text[CLOCK_TEXT];
    if (!ms)
        return json_null();
    clock_iso(ms, text);
    return json_string(text);
}

void json_append_line(json_t *lines, const char *format, ...)
{
    struct buf line = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&line, format, args);
    va_end(args);
    json_array_append_new(lines, json_of(buf_str(&line)));
    buf_release(&line);
}

const char *json_text_at(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text ? text : "-";
}

long long json_number_at(const json_t *o, const char *name)
{
    return (long long)json_integer_value(json_object_get(o, name));
}
