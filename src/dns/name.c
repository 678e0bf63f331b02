#include "dns/name.h"

#include <idn2.h>

static bool is_label_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Lower-case text without a trailing dot: the shape of dns/name.h? The root is not asked here. */
static bool is_well_formed(struct str name)
{
    if (name.n > DNS_NAME_MAX)
        return false;
    size_t label = 0;
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] != '.') {
            if (!is_label_char(name.p[i]) || ++label > DNS_LABEL_MAX)
                return false;
        } else if (label == 0) {
            return false;
        } else {
            label = 0;
        }
    }
    return label > 0;
}

static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

static enum err to_a_labels(struct arena *a, struct str text, struct str *out)
{
    char *ascii = NULL;
    const char *utf8 = arena_cstr(a, text);
    if (strlen(utf8) != text.n ||
        idn2_to_ascii_8z(utf8, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL | IDN2_USE_STD3_ASCII_RULES) !=
            IDN2_OK)
        return ERR_MALFORMED;
    *out = arena_lower(a, str_of(ascii));
    idn2_free(ascii);
    return OK;
}

enum err dns_name_normalise(struct arena *a, struct str text, struct str *out)
{
    *out = STR_NONE;
    if (str_equal(text, STR("."))) {
        *out = STR("");
        return OK;
    }
    struct str name;
    if (is_ascii(text))
        name = arena_lower(a, text);
    else if (text.n > 4 * DNS_NAME_MAX || to_a_labels(a, text, &name) != OK)
        return ERR_MALFORMED;
    if (name.n && name.p[name.n - 1] == '.')
        name.n--; /* IDNA may have made one of U+3002 */
    if (!is_well_formed(name))
        return ERR_MALFORMED;
    *out = arena_str(a, name);
    return OK;
}

bool dns_name_is_host(struct str name)
{
    if (!is_well_formed(name))
        return false;
    struct str rest = name;
    bool numeric = false;
    while (rest.p) {
        struct str label = str_cut(&rest, '.');
        if (label.p[0] == '-' || label.p[label.n - 1] == '-')
            return false;
        numeric = true;
        for (size_t i = 0; i < label.n; i++)
            numeric = numeric && label.p[i] >= '0' && label.p[i] <= '9';
    }
    return !numeric;
}

bool dns_name_is_within(struct str name, struct str parent)
{
    if (parent.n == 0)
        return true;
    if (!str_ends(name, parent))
        return false;
    return name.n == parent.n || name.p[name.n - parent.n - 1] == '.';
}

struct str dns_name_tlsa(struct arena *a, unsigned port, struct str base)
{
    return arena_printf(a, "_%u._tcp.%.*s", port, STR_ARG(base));
}
