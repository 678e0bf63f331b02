#include "mail/address.h"

#include <arpa/inet.h>

static bool is_atext(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && c < 128 && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool is_let_dig(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Octets of the UTF-8 character above ASCII at the start, 0 when there is none. */
static size_t utf8_sequence(struct str s)
{
    size_t n = str_utf8_length(s);
    return n > 1 ? n : 0;
}

static bool has_8bit(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] > 127)
            return true;
    return false;
}

bool mail_domain_is_valid(struct str domain, bool utf8)
{
    if (domain.n == 0 || domain.n > MAIL_DOMAIN_MAX)
        return false;
    size_t label = 0;
    for (size_t i = 0, step; i < domain.n; i += step) {
        unsigned char c = (unsigned char)domain.p[i];
        step = 1;
        if (c == '.') {
            if (label == 0 || domain.p[i - 1] == '-')
                return false;
            label = 0;
            continue;
        }
        if (c > 127)
            step = utf8 ? utf8_sequence(str_from(domain, i)) : 0;
        else if (!is_let_dig(c) && (c != '-' || label == 0))
            return false;
        label += step;
        /* 63 octets bound an A-label; 63 letters of a U-label may take four times as many. */
        if (step == 0 || label > (utf8 ? 252 : 63))
            return false;
    }
    return label > 0 && domain.p[domain.n - 1] != '-';
}

bool mail_literal_is_valid(struct str literal)
{
    if (literal.n < 3 || literal.n > MAIL_DOMAIN_MAX || memchr(literal.p, 0, literal.n) ||
        literal.p[0] != '[' || literal.p[literal.n - 1] != ']')
        return false;
    struct str inner = str_sub(literal, 1, literal.n - 2);
    char text[MAIL_DOMAIN_MAX + 1];
    unsigned char binary[16];
    size_t colon = str_find_char(inner, ':');
    if (colon == SIZE_MAX)
        return str_copy(inner, text, sizeof text) && inet_pton(AF_INET, text, binary) == 1;
    if (str_starts_nocase(inner, STR("IPv6:")))
        return str_copy(str_from(inner, 5), text, sizeof text) && inet_pton(AF_INET6, text, binary) == 1;
    return false;
}

/* Length of the Quoted-string at the start, 0 when it is malformed. */
static size_t quoted_string(struct str s, bool utf8)
{
    for (size_t i = 1; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t step = 1;
        if (c == '"')
            return i + 1;
        if (c == '\\') {
            if (i + 1 >= s.n || s.p[i + 1] < 32 || s.p[i + 1] > 126)
                return 0;
            step = 2;
        } else if (c > 127) {
            step = utf8 ? utf8_sequence(str_from(s, i)) : 0;
            if (step == 0)
                return 0;
        } else if (c < 32 || c == 127) {
            return 0;
        }
        i += step;
    }
    return 0;
}

/* Length of the Dot-string at the start, 0 when it is malformed. */
static size_t dot_string(struct str s, bool utf8)
{
    size_t i = 0, atom = 0;
    while (i < s.n) {
        unsigned char c = (unsigned char)s.p[i];
        size_t step = 1;
        if (c == '.') {
            if (atom == 0)
                return 0;
            atom = 0;
        } else if (c > 127) {
            step = utf8 ? utf8_sequence(str_from(s, i)) : 0;
            if (step == 0)
                return 0;
            atom += step;
        } else if (is_atext(c)) {
            atom++;
        } else {
            break;
        }
        i += step;
    }
    return atom ? i : 0;
}

static enum err fail(struct mail_address *out, const char **why, const char *sentence)
{
    *out = (struct mail_address){0};
    if (why)
        *why = sentence;
    return ERR_MALFORMED;
}

enum err mail_address_parse(struct str text, bool utf8, struct mail_address *out, const char **why)
{
    *out = (struct mail_address){.text = text};
    if (text.n == 0)
        return fail(out, why, "the address is empty");
    out->is_quoted = text.p[0] == '"';
    size_t local = out->is_quoted ? quoted_string(text, utf8) : dot_string(text, utf8);
    if (local == 0)
        return fail(out, why, "the local part of the address is malformed");
    if (local > MAIL_LOCAL_MAX)
        return fail(out, why, "the local part of the address is longer than 64 octets");
    if (local == text.n)
        return fail(out, why, "the address has no domain");
    if (text.p[local] != '@')
        return fail(out, why, "the local part of the address is malformed");
    out->local = str_sub(text, 0, local);
    out->domain = str_from(text, local + 1);
    out->is_literal = out->domain.n > 0 && out->domain.p[0] == '[';
    if (out->is_literal ? !mail_literal_is_valid(out->domain) : !mail_domain_is_valid(out->domain, utf8))
        return fail(out, why, "the domain of the address is malformed");
    out->has_utf8 = has_8bit(text);
    return OK;
}

/* Takes "@one,@two:" off the front. */
static bool cut_route(struct str *path, bool utf8)
{
    size_t colon = str_find_char(*path, ':');
    if (colon == SIZE_MAX)
        return false;
    struct str route = str_sub(*path, 0, colon);
    *path = str_from(*path, colon + 1);
    while (route.p) {
        struct str at = str_cut(&route, ',');
        if (at.n < 2 || at.p[0] != '@' || !mail_domain_is_valid(str_from(at, 1), utf8))
            return false;
    }
    return true;
}

enum err mail_path_parse(struct str text, enum mail_path_kind kind, bool utf8, struct mail_address *out,
                         const char **why)
{
    *out = (struct mail_address){0};
    if (text.n < 2 || text.p[0] != '<' || text.p[text.n - 1] != '>')
        return fail(out, why, "the path must stand in angle brackets");
    if (text.n > MAIL_PATH_MAX)
        return fail(out, why, "the path is longer than 256 octets");
    struct str inner = str_sub(text, 1, text.n - 2);
    if (inner.n == 0 && kind == MAIL_REVERSE_PATH) {
        out->text = str_sub(text, 1, 0);
        return OK;
    }
    if (kind == MAIL_FORWARD_PATH && str_equal_nocase(inner, STR("postmaster"))) {
        *out = (struct mail_address){.text = inner, .local = inner};
        return OK;
    }
    bool route = inner.n > 0 && inner.p[0] == '@';
    if (route && !cut_route(&inner, utf8))
        return fail(out, why, "the source route is malformed");
    enum err e = mail_address_parse(inner, utf8, out, why);
    if (!e)
        out->has_route = route, out->has_utf8 = has_8bit(text);
    return e;
}

struct str mail_local_unquoted(struct arena *a, const struct mail_address *address)
{
    if (!address->is_quoted)
        return address->local;
    char *p = arena_alloc(a, address->local.n);
    size_t n = 0;
    for (size_t i = 1; i + 1 < address->local.n; i++) {
        if (address->local.p[i] == '\\')
            i++;
        p[n++] = address->local.p[i];
    }
    return str_make(p, n);
}

bool mail_is_postmaster(const struct mail_address *address)
{
    struct arena a = {0};
    bool is = str_equal_nocase(mail_local_unquoted(&a, address), STR("postmaster"));
    arena_release(&a);
    return is;
}

struct str mail_domain_of(struct str address)
{
    size_t at = str_rfind_char(address, '@');
    return at == SIZE_MAX ? STR_NONE : str_from(address, at + 1);
}

struct str mail_local_of(struct str address)
{
    size_t at = str_rfind_char(address, '@');
    return at == SIZE_MAX ? address : str_sub(address, 0, at);
}
