#include "smtp/param.h"

#include "smtp/orcpt.h"
#include "smtp/xtext.h"

enum { ENVID_MAX = 100, SIZE_DIGITS_MAX = 20 };

/* One handler a parameter; false: against the grammar. */
typedef bool (*take)(struct str value, void *out);

struct known {
    const char *keyword;
    uint32_t extension;
    take take;
};

static bool take_size(struct str value, void *out)
{
    struct smtp_mail_params *p = out;
    p->has_size = true;
    return value.n <= SIZE_DIGITS_MAX && str_to_u64(value, &p->size);
}

static bool take_body(struct str value, void *out)
{
    static const char *const names[] = {"7BIT", "8BITMIME", "BINARYMIME"};
    struct smtp_mail_params *p = out;
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (!str_equal_nocase(value, str_of(names[i])))
            continue;
        p->body = (enum smtp_body)i;
        return true;
    }
    return false;
}

static bool take_utf8(struct str value, void *out)
{
    struct smtp_mail_params *p = out;
    p->is_utf8 = true;
    return !value.p;
}

static bool take_requiretls(struct str value, void *out)
{
    struct smtp_mail_params *p = out;
    p->is_requiretls = true;
    return !value.p;
}

static bool take_ret(struct str value, void *out)
{
    struct smtp_mail_params *p = out;
    if (str_equal_nocase(value, STR("FULL")))
        p->ret = SMTP_RET_FULL;
    else if (str_equal_nocase(value, STR("HDRS")))
        p->ret = SMTP_RET_HDRS;
    return p->ret != SMTP_RET_UNSAID;
}

/* RFC 3461 4.4: xtext of at most 100 octets that decodes to printable ASCII. */
static bool take_envid(struct str value, void *out)
{
    struct smtp_mail_params *p = out;
    struct buf decoded = {0};
    bool good = value.n && value.n <= ENVID_MAX && smtp_xtext_decode(value, &decoded);
    for (size_t i = 0; i < decoded.n; i++)
        good = good && (unsigned char)decoded.p[i] < 127;
    buf_release(&decoded);
    p->envid = value;
    return good;
}

static bool take_auth(struct str value, void *out)
{
    (void)out;
    return str_equal(value, STR("<>")) || (value.n && smtp_xtext_is_valid(value));
}

static bool take_notify(struct str value, void *out)
{
    static const struct {
        const char *name;
        unsigned bit;
    } names[] = {{"SUCCESS", SMTP_NOTIFY_SUCCESS},
                 {"FAILURE", SMTP_NOTIFY_FAILURE},
                 {"DELAY", SMTP_NOTIFY_DELAY},
                 {"NEVER", SMTP_NOTIFY_NEVER}};
    struct smtp_rcpt_params *p = out;
    p->notify_text = value;
    if (!value.p)
        return false;
    for (struct str rest = value; rest.p;) {
        struct str word = str_cut(&rest, ',');
        unsigned bit = 0;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (str_equal_nocase(word, str_of(names[i].name)))
                bit = names[i].bit;
        if (!bit)
            return false;
        p->notify |= bit;
    }
    return !(p->notify & SMTP_NOTIFY_NEVER) || p->notify == SMTP_NOTIFY_NEVER;
}

static bool take_orcpt(struct str value, void *out)
{
    struct smtp_rcpt_params *p = out;
    p->orcpt = value;
    return smtp_orcpt_is_valid(value);
}

static const struct known mail_params[] = {
    {"SIZE", SMTP_EXT_SIZE, take_size},         {"BODY", SMTP_EXT_8BITMIME, take_body},
    {"SMTPUTF8", SMTP_EXT_SMTPUTF8, take_utf8}, {"RET", SMTP_EXT_DSN, take_ret},
    {"ENVID", SMTP_EXT_DSN, take_envid},        {"REQUIRETLS", SMTP_EXT_REQUIRETLS, take_requiretls},
    {"AUTH", SMTP_EXT_AUTH, take_auth},
};

static const struct known rcpt_params[] = {
    {"NOTIFY", SMTP_EXT_DSN, take_notify},
    {"ORCPT", SMTP_EXT_DSN, take_orcpt},
};

static enum smtp_syntax parse(const struct smtp_command *c, uint32_t offered, const struct known *known,
                              size_t n, void *out, const char **why)
{
    *why = "";
    for (size_t i = 0; i < c->param_n; i++) {
        const struct known *found = NULL;
        for (size_t k = 0; k < n; k++)
            if (str_equal_nocase(c->param[i].keyword, str_of(known[k].keyword)) &&
                offered & known[k].extension)
                found = &known[k];
        if (!found) {
            *why = "parameter not recognised";
            return SMTP_SYNTAX_PARAM;
        }
        if (!found->take(c->param[i].value, out)) {
            *why = "malformed parameter value";
            return SMTP_SYNTAX_ARGS;
        }
    }
    return SMTP_SYNTAX_OK;
}

enum smtp_syntax smtp_mail_params_parse(const struct smtp_command *c, uint32_t offered,
                                        struct smtp_mail_params *out, const char **why)
{
    *out = (struct smtp_mail_params){0};
    enum smtp_syntax r = parse(c, offered, mail_params, sizeof mail_params / sizeof *mail_params, out, why);
    if (r == SMTP_SYNTAX_OK && out->body == SMTP_BODY_BINARYMIME && !(offered & SMTP_EXT_BINARYMIME)) {
        *why = "BINARYMIME is not offered";
        return SMTP_SYNTAX_PARAM;
    }
    return r;
}

enum smtp_syntax smtp_rcpt_params_parse(const struct smtp_command *c, uint32_t offered,
                                        struct smtp_rcpt_params *out, const char **why)
{
    *out = (struct smtp_rcpt_params){0};
    return parse(c, offered, rcpt_params, sizeof rcpt_params / sizeof *rcpt_params, out, why);
}
