#include "smtp/extension.h"

static const char *const names[SMTP_EXTENSION_COUNT] = {
#define X(name) [SMTP_EXTPOS_##name] = #name,
    SMTP_EXTENSION_TABLE(X)
#undef X
};

static uint32_t bit_of(struct str keyword)
{
    for (size_t i = 0; i < SMTP_EXTENSION_COUNT; i++)
        if (str_equal_nocase(keyword, str_of(names[i])))
            return (uint32_t)1 << i;
    return 0;
}

/* RFC 9422 section 4: name=value pairs, at most six digits. */
static void parse_limits(struct str args, struct smtp_extensions *e)
{
    for (struct str word; (word = str_word(&args)).n;) {
        struct str value = word, name = str_cut(&value, '=');
        uint32_t n;
        if (value.n > 6 || !str_to_u32(value, &n) || n == 0)
            continue;
        if (str_equal_nocase(name, STR("MAILMAX")))
            e->mail_max = n;
        else if (str_equal_nocase(name, STR("RCPTMAX")))
            e->rcpt_max = n;
        else if (str_equal_nocase(name, STR("RCPTDOMAINMAX")))
            e->rcpt_domain_max = n;
    }
}

void smtp_extensions_parse(struct str text, struct smtp_extensions *out)
{
    *out = (struct smtp_extensions){0};
    struct str rest = text;
    for ((void)str_cut(&rest, '\n'); rest.p;) {
        struct str line = str_cut(&rest, '\n'), keyword = str_word(&line);
        size_t equals = str_find_char(keyword, '='); /* "AUTH=LOGIN" of old servers */
        uint32_t bit = bit_of(str_sub(keyword, 0, equals));
        out->bits |= bit;
        if (bit == SMTP_EXT_SIZE && !str_to_u64(str_trim(line), &out->size))
            out->size = 0;
        if (bit == SMTP_EXT_LIMITS)
            parse_limits(line, out);
    }
}

static void add_limit(struct buf *out, const char *name, uint32_t value)
{
    if (value)
        buf_printf(out, " %s=%u", name, value);
}

void smtp_extensions_format(struct str greeting, const struct smtp_extensions *e, struct buf *out)
{
    uint32_t left = e->bits & (((uint32_t)1 << SMTP_EXTENSION_COUNT) - 1);
    buf_printf(out, "250%c%.*s\r\n", left ? '-' : ' ', STR_ARG(greeting));
    for (size_t i = 0; left; i++) {
        uint32_t bit = (uint32_t)1 << i;
        if (!(left & bit))
            continue;
        left &= ~bit;
        buf_printf(out, "250%c%s", left ? '-' : ' ', names[i]);
        if (bit == SMTP_EXT_SIZE && e->size)
            buf_printf(out, " %llu", (unsigned long long)e->size);
        if (bit == SMTP_EXT_LIMITS) {
            add_limit(out, "MAILMAX", e->mail_max);
            add_limit(out, "RCPTMAX", e->rcpt_max);
            add_limit(out, "RCPTDOMAINMAX", e->rcpt_domain_max);
        }
        buf_append(out, "\r\n", 2);
    }
}

void smtp_extensions_describe(uint32_t bits, struct buf *out)
{
    const char *blank = "";
    for (size_t i = 0; i < SMTP_EXTENSION_COUNT; i++) {
        if (!(bits & (uint32_t)1 << i))
            continue;
        buf_printf(out, "%s%s", blank, names[i]);
        blank = " ";
    }
}
