#include <arpa/inet.h>
#include <inttypes.h>

#include "base/die.h"
#include "conf/table.h"

static char **text_of(struct conf *c, const struct conf_option *o)
{
    return (char **)((char *)c + o->offset);
}

static int64_t *number_of(struct conf *c, const struct conf_option *o)
{
    return (int64_t *)((char *)c + o->offset);
}

static struct conf_list *list_of(struct conf *c, const struct conf_option *o)
{
    return (struct conf_list *)((char *)c + o->offset);
}

static struct conf_durations *durations_of(struct conf *c, const struct conf_option *o)
{
    return (struct conf_durations *)((char *)c + o->offset);
}

struct unit {
    const char *name;
    int64_t factor;
};

static bool number_with_unit(struct str text, const struct unit *units, int64_t *out)
{
    size_t digits = 0;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
        digits++;
    uint64_t v;
    if (!str_to_u64(str_sub(text, 0, digits), &v) || v > INT64_MAX)
        return false;
    struct str unit = str_trim(str_from(text, digits));
    for (; units->name; units++)
        if (str_equal_nocase(unit, str_of(units->name)))
            return !__builtin_mul_overflow((int64_t)v, units->factor, out);
    return false;
}

bool conf_duration(struct str text, int64_t *ms)
{
    static const struct unit units[] = {{"ms", 1},      {"s", 1000},     {"min", 60000},   {"m", 60000},
                                        {"h", 3600000}, {"d", 86400000}, {"w", 604800000}, {NULL, 0}};
    if (str_equal(text, STR("0"))) {
        *ms = 0;
        return true;
    }
    return number_with_unit(text, units, ms);
}

bool conf_size(struct str text, int64_t *bytes)
{
    static const struct unit units[] = {{"", 1},          {"B", 1},         {"KiB", 1 << 10},
                                        {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};
    return number_with_unit(text, units, bytes);
}

static bool is_ip(struct str text, int *bits)
{
    char ip[INET6_ADDRSTRLEN];
    unsigned char parsed[16];
    if (!str_copy(text, ip, sizeof ip))
        return false;
    *bits = inet_pton(AF_INET, ip, parsed) == 1 ? 32 : inet_pton(AF_INET6, ip, parsed) == 1 ? 128 : 0;
    return *bits != 0;
}

static bool is_address(struct str text)
{
    size_t colon = str_rfind_char(text, ':');
    uint32_t port;
    int bits;
    if (colon == SIZE_MAX || !str_to_u32(str_from(text, colon + 1), &port) || port > 65535)
        return false;
    struct str ip = str_sub(text, 0, colon);
    if (ip.n > 2 && ip.p[0] == '[' && ip.p[ip.n - 1] == ']')
        return is_ip(str_sub(ip, 1, ip.n - 2), &bits) && bits == 128;
    return is_ip(ip, &bits) && bits == 32;
}

static bool is_network(struct str text)
{
    struct str ip = str_cut(&text, '/');
    int bits;
    uint32_t n;
    return is_ip(ip, &bits) && (!text.p || (str_to_u32(text, &n) && n <= (uint32_t)bits));
}

static bool is_name(struct str text)
{
    if (text.n == 0 || text.n > 253)
        return false;
    size_t label = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool dot = c == '.';
        bool fine =
            dot || c == '-' || c == '_' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!fine || (dot && label == 0) || (!dot && ++label > 63))
            return false;
        if (dot)
            label = 0;
    }
    return true;
}

static bool set_text(struct conf *c, const struct conf_option *o, struct str text, struct buf *why)
{
    bool fine = true;
    if (o->kind == KIND_NAME && text.n)
        fine = is_name(text);
    else if (o->kind == KIND_ADDRESS)
        fine = is_address(text);
    else if (o->kind == KIND_PATH && text.n)
        fine = text.p[0] == '/';
    if (!fine) {
        static const char *const wanted[] = {
            [KIND_NAME] = "is not a domain name (letters, digits and hyphens in labels of at most 63)",
            [KIND_ADDRESS] = "is not an address with a port, as 127.0.0.1:53 or [::1]:53",
            [KIND_PATH] = "is not an absolute path",
        };
        buf_set(why, "\"%.*s\" %s", STR_ARG(text), wanted[o->kind]);
        return false;
    }
    free(*text_of(c, o));
    *text_of(c, o) = str_dup(text);
    return true;
}

static void show_number(enum conf_kind kind, int64_t v, struct buf *out)
{
    static const struct unit durations[] = {{"d", 86400000}, {"h", 3600000}, {"min", 60000},
                                            {"s", 1000},     {"ms", 1},      {0}};
    static const struct unit sizes[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}, {0}};
    const struct unit *u = kind == KIND_SIZE ? sizes : durations;
    if (kind == KIND_NUMBER || v == 0) {
        buf_printf(out, "%" PRId64, v);
        return;
    }
    while (v % u->factor)
        u++;
    buf_printf(out, "%" PRId64 "%s", v / u->factor, u->name);
}

static bool in_range(const struct conf_option *o, enum conf_kind kind, int64_t v, struct buf *why)
{
    if (v >= o->least && v <= o->most)
        return true;
    struct buf text = {0};
    show_number(kind, v, &text);
    buf_add(&text, STR(" is out of range: "));
    show_number(kind, o->least, &text);
    buf_add(&text, STR(" to "));
    show_number(kind, o->most, &text);
    buf_set(why, "%s", buf_cstr(&text));
    buf_release(&text);
    return false;
}

static bool set_number(struct conf *c, const struct conf_option *o, struct str text, struct buf *why)
{
    int64_t v;
    uint64_t plain;
    bool fine;
    const char *wanted;
    if (o->kind == KIND_DURATION) {
        fine = conf_duration(text, &v);
        wanted = "a duration, as 30s, 5min, 4h or 5d";
    } else if (o->kind == KIND_SIZE) {
        fine = conf_size(text, &v);
        wanted = "a size, as 512, 64KiB or 50MiB";
    } else {
        fine = str_to_u64(text, &plain) && plain <= INT64_MAX;
        v = fine ? (int64_t)plain : 0;
        wanted = "a number";
    }
    if (!fine) {
        buf_set(why, "\"%.*s\" is not %s", STR_ARG(text), wanted);
        return false;
    }
    if (!in_range(o, o->kind, v, why))
        return false;
    *number_of(c, o) = v;
    return true;
}

static bool set_choice(struct conf *c, const struct conf_option *o, struct str text, struct buf *why)
{
    struct str words = str_of(o->words);
    unsigned at = 0;
    for (struct str w = str_word(&words); w.n; w = str_word(&words), at++) {
        if (str_equal(w, text)) {
            memcpy((char *)c + o->offset, &at, sizeof at);
            return true;
        }
    }
    buf_set(why, "\"%.*s\" is none of: %s", STR_ARG(text), o->words);
    return false;
}

static bool set_bool(struct conf *c, const struct conf_option *o, struct str text, struct buf *why)
{
    bool yes = str_equal(text, STR("yes"));
    if (!yes && !str_equal(text, STR("no"))) {
        buf_set(why, "\"%.*s\" is neither yes nor no", STR_ARG(text));
        return false;
    }
    *(bool *)((char *)c + o->offset) = yes;
    return true;
}

static bool add_word(struct conf *c, const struct conf_option *o, struct str w, struct buf *why)
{
    int bits;
    bool fine = o->kind == KIND_ADDRESS_LIST   ? is_address(w)
                : o->kind == KIND_NETWORK_LIST ? is_network(w)
                : o->kind == KIND_NAME_LIST    ? is_name(w)
                                               : is_ip(w, &bits);
    if (!fine) {
        buf_set(why, "\"%.*s\" is not %s", STR_ARG(w),
                o->kind == KIND_ADDRESS_LIST   ? "an address with a port, as 192.0.2.1:25 or [::]:25"
                : o->kind == KIND_NETWORK_LIST ? "a network, as 192.0.2.0/24 or 2001:db8::/32"
                : o->kind == KIND_NAME_LIST    ? "a domain name"
                                               : "an IP address");
        return false;
    }
    struct conf_list *l = list_of(c, o);
    l->v = must_alloc(reallocarray(l->v, l->n + 1, sizeof *l->v));
    l->v[l->n++] = str_dup(w);
    return true;
}

static bool add_duration(struct conf *c, const struct conf_option *o, struct str w, struct buf *why)
{
    int64_t ms;
    if (!conf_duration(w, &ms)) {
        buf_set(why, "\"%.*s\" is not a duration, as 30s, 5min, 4h or 5d", STR_ARG(w));
        return false;
    }
    if (!in_range(o, KIND_DURATION, ms, why))
        return false;
    struct conf_durations *d = durations_of(c, o);
    d->v = must_alloc(reallocarray(d->v, d->n + 1, sizeof *d->v));
    d->v[d->n++] = ms;
    return true;
}

static bool set_list(struct conf *c, const struct conf_option *o, struct str text, bool more, struct buf *why)
{
    if (!more)
        conf_value_release(c, o);
    for (struct str w = str_word(&text); w.n; w = str_word(&text))
        if (o->kind == KIND_DURATION_LIST ? !add_duration(c, o, w, why) : !add_word(c, o, w, why))
            return false;
    return true;
}

bool conf_value_set(struct conf *c, const struct conf_option *o, struct str text, bool more, struct buf *why)
{
    switch (o->kind) {
    case KIND_NAME:
    case KIND_PATH:
    case KIND_TEXT:
    case KIND_ADDRESS:
        return set_text(c, o, text, why);
    case KIND_BOOL:
        return set_bool(c, o, text, why);
    case KIND_NUMBER:
    case KIND_SIZE:
    case KIND_DURATION:
        return set_number(c, o, text, why);
    case KIND_CHOICE:
        return set_choice(c, o, text, why);
    case KIND_ADDRESS_LIST:
    case KIND_NETWORK_LIST:
    case KIND_IP_LIST:
    case KIND_NAME_LIST:
    case KIND_DURATION_LIST:
        return set_list(c, o, text, more, why);
    }
    return false;
}

static void show_choice(const struct conf *c, const struct conf_option *o, struct buf *out)
{
    unsigned at;
    memcpy(&at, (const char *)c + o->offset, sizeof at);
    struct str words = str_of(o->words), w = str_word(&words);
    while (at--)
        w = str_word(&words);
    buf_add(out, w);
}

void conf_value_show(const struct conf *c, const struct conf_option *o, struct buf *out)
{
    const char *at = (const char *)c + o->offset;
    switch (o->kind) {
    case KIND_NAME:
    case KIND_PATH:
    case KIND_TEXT:
    case KIND_ADDRESS:
        buf_add(out, str_of(*(char *const *)at));
        break;
    case KIND_BOOL:
        buf_add(out, *(const bool *)at ? STR("yes") : STR("no"));
        break;
    case KIND_NUMBER:
    case KIND_SIZE:
    case KIND_DURATION:
        show_number(o->kind, *(const int64_t *)at, out);
        break;
    case KIND_CHOICE:
        show_choice(c, o, out);
        break;
    case KIND_DURATION_LIST: {
        const struct conf_durations *d = (const struct conf_durations *)at;
        for (size_t i = 0; i < d->n; i++) {
            buf_add(out, i ? STR(" ") : STR(""));
            show_number(KIND_DURATION, d->v[i], out);
        }
        break;
    }
    case KIND_ADDRESS_LIST:
    case KIND_NETWORK_LIST:
    case KIND_IP_LIST:
    case KIND_NAME_LIST: {
        const struct conf_list *l = (const struct conf_list *)at;
        for (size_t i = 0; i < l->n; i++)
            buf_printf(out, "%s%s", i ? " " : "", l->v[i]);
        break;
    }
    }
}

void conf_value_release(struct conf *c, const struct conf_option *o)
{
    switch (o->kind) {
    case KIND_NAME:
    case KIND_PATH:
    case KIND_TEXT:
    case KIND_ADDRESS:
        free(*text_of(c, o));
        *text_of(c, o) = NULL;
        break;
    case KIND_ADDRESS_LIST:
    case KIND_NETWORK_LIST:
    case KIND_IP_LIST:
    case KIND_NAME_LIST: {
        struct conf_list *l = list_of(c, o);
        for (size_t i = 0; i < l->n; i++)
            free(l->v[i]);
        free(l->v);
        *l = (struct conf_list){0};
        break;
    }
    case KIND_DURATION_LIST:
        free(durations_of(c, o)->v);
        *durations_of(c, o) = (struct conf_durations){0};
        break;
    default:
        break;
    }
}
