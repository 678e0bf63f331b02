#include "dane/dane.h"

/* RFC 7218. Position is the number; NULL where a field has no fourth name. */
static const char *const USAGES[] = {"PKIX-TA", "PKIX-EE", "DANE-TA", "DANE-EE"};
static const char *const SELECTORS[] = {"Cert", "SPKI"};
static const char *const MTYPES[] = {"Full", "SHA2-256", "SHA2-512"};

static bool parse_field(struct str word, const char *const *names, size_t count, uint8_t *out)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal_nocase(word, str_of(names[i]))) {
            *out = (uint8_t)i;
            return true;
        }
    uint32_t number;
    if (!str_to_u32(word, &number) || number > 255)
        return false;
    *out = (uint8_t)number;
    return true;
}

enum err dane_tlsa_parse(struct str text, struct arena *a, struct tlsa *out, struct buf *why)
{
    struct str rest = text;
    struct str usage = str_word(&rest), selector = str_word(&rest), mtype = str_word(&rest);
    *out = (struct tlsa){0};
    if (!parse_field(usage, USAGES, 4, &out->usage) || !parse_field(selector, SELECTORS, 2, &out->selector) ||
        !parse_field(mtype, MTYPES, 3, &out->mtype)) {
        buf_set(why, "\"%.*s\" does not begin with usage, selector and matching type, each 0 to 255",
                STR_ARG(text));
        return ERR_MALFORMED;
    }
    if (mtype.p + mtype.n == text.p + text.n) {
        buf_set(why, "\"%.*s\" ends before its data", STR_ARG(text));
        return ERR_MALFORMED;
    }
    struct buf data = {0};
    bool good = hex_decode(&data, str_trim(rest));
    if (good)
        out->data = arena_str(a, buf_str(&data));
    else
        buf_set(why, "\"%.*s\" does not end in an even number of hexadecimal digits", STR_ARG(text));
    buf_release(&data);
    return good ? OK : ERR_MALFORMED;
}

void dane_tlsa_format(struct buf *out, const struct tlsa *record)
{
    buf_printf(out, "%u %u %u ", record->usage, record->selector, record->mtype);
    hex_append(out, record->data.p, record->data.n);
}
