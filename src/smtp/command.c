#include "smtp/command.h"

enum args {
    SMTP_ARGS_NONE,
    SMTP_ARGS_ANY,
    SMTP_ARGS_SOME,
    SMTP_ARGS_WORD,
    SMTP_ARGS_FROM,
    SMTP_ARGS_TO,
    SMTP_ARGS_CHUNK
};

static const struct verb {
    const char *name;
    enum args args;
} verbs[SMTP_VERB_COUNT] = {[SMTP_UNKNOWN] = {"", SMTP_ARGS_ANY},
#define X(verb, args) [SMTP_##verb] = {#verb, args},
                            SMTP_VERB_TABLE(X)
#undef X
};

const char *smtp_verb_name(enum smtp_verb verb)
{
    return (unsigned)verb < SMTP_VERB_COUNT ? verbs[verb].name : "";
}

static enum smtp_verb find_verb(struct str word)
{
    for (int v = SMTP_UNKNOWN + 1; v < SMTP_VERB_COUNT; v++)
        if (str_equal_nocase(word, str_of(verbs[v].name)))
            return (enum smtp_verb)v;
    return SMTP_UNKNOWN;
}

static enum smtp_syntax wrong(const char **why, const char *text)
{
    *why = text;
    return SMTP_SYNTAX_ARGS;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* The path's length with its brackets, or 0. Quoted strings may hold ">" and blanks. */
static size_t path_length(struct str s)
{
    bool quoted = false;
    if (!s.n || s.p[0] != '<')
        return 0;
    for (size_t i = 1; i < s.n; i++) {
        char c = s.p[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (c == '>' && !quoted)
            return i + 1;
        else if (c == ' ' && !quoted)
            return 0;
    }
    return 0;
}

/* esmtp-keyword ["=" esmtp-value] */
static bool parse_param(struct str text, struct smtp_raw_param *out)
{
    struct str value = text;
    out->keyword = str_cut(&value, '=');
    out->value = value;
    if (!out->keyword.n || !is_alnum(out->keyword.p[0]) || (value.p && !value.n))
        return false;
    for (size_t i = 0; i < out->keyword.n; i++)
        if (!is_alnum(out->keyword.p[i]) && out->keyword.p[i] != '-')
            return false;
    for (size_t i = 0; value.p && i < value.n; i++)
        if ((unsigned char)value.p[i] <= ' ' || value.p[i] == '=' || value.p[i] == 127)
            return false;
    return true;
}

static bool is_repeated(const struct smtp_command *c, struct str keyword)
{
    for (size_t i = 0; i < c->param_n; i++)
        if (str_equal_nocase(c->param[i].keyword, keyword))
            return true;
    return false;
}

static enum smtp_syntax parse_path(struct smtp_command *c, struct str lead, const char **why)
{
    if (!str_starts_nocase(c->args, lead))
        return wrong(why, lead.n == 5 ? "FROM:<address> expected" : "TO:<address> expected");
    struct str rest = str_from(c->args, lead.n);
    size_t n = path_length(rest);
    if (!n)
        return wrong(why, rest.n && rest.p[0] == ' ' ? "no blank allowed before the address"
                                                     : "address in angle brackets expected");
    c->path = str_sub(rest, 0, n);
    rest = str_from(rest, n);
    while (rest.n) {
        struct smtp_raw_param param;
        if (rest.p[0] != ' ')
            return wrong(why, "blank expected after the address");
        rest = str_from(rest, 1);
        size_t end = str_find_char(rest, ' ');
        if (!parse_param(str_sub(rest, 0, end), &param))
            return wrong(why, "malformed parameter");
        if (is_repeated(c, param.keyword))
            return wrong(why, "parameter given twice");
        if (c->param_n == SMTP_PARAMS_MAX) {
            *why = "too many parameters";
            return SMTP_SYNTAX_TOO_MANY;
        }
        c->param[c->param_n++] = param;
        rest = str_from(rest, end == SIZE_MAX ? rest.n : end);
    }
    return SMTP_SYNTAX_OK;
}

static enum smtp_syntax parse_chunk(struct smtp_command *c, const char **why)
{
    struct str rest = c->args, size = str_cut(&rest, ' ');
    if (size.n > 20 || !str_to_u64(size, &c->chunk_size))
        return wrong(why, "chunk size expected");
    if (!rest.p)
        return SMTP_SYNTAX_OK;
    c->chunk_is_last = str_equal_nocase(rest, STR("LAST"));
    return c->chunk_is_last ? SMTP_SYNTAX_OK : wrong(why, "only LAST may follow the chunk size");
}

static enum smtp_syntax parse_args(struct smtp_command *c, const char **why)
{
    switch (verbs[c->verb].args) {
    case SMTP_ARGS_NONE:
        return c->args.n ? wrong(why, "no argument allowed") : SMTP_SYNTAX_OK;
    case SMTP_ARGS_SOME:
        return c->args.n ? SMTP_SYNTAX_OK : wrong(why, "argument expected");
    case SMTP_ARGS_WORD:
        if (!c->args.n)
            return wrong(why, "host name expected");
        return str_find_char(c->args, ' ') == SIZE_MAX ? SMTP_SYNTAX_OK
                                                       : wrong(why, "only a host name expected");
    case SMTP_ARGS_FROM:
        return parse_path(c, STR("FROM:"), why);
    case SMTP_ARGS_TO:
        return parse_path(c, STR("TO:"), why);
    case SMTP_ARGS_CHUNK:
        return parse_chunk(c, why);
    case SMTP_ARGS_ANY:
        break;
    }
    return SMTP_SYNTAX_OK;
}

enum smtp_syntax smtp_command_parse(struct str line, struct smtp_command *out, const char **why)
{
    *out = (struct smtp_command){0};
    *why = "";
    while (line.n && line.p[line.n - 1] == ' ')
        line.n--;
    struct str rest = line;
    out->word = str_cut(&rest, ' ');
    out->verb = find_verb(out->word);
    if (out->verb == SMTP_UNKNOWN) {
        *why = line.n ? "command not recognised" : "empty command";
        return SMTP_SYNTAX_UNKNOWN;
    }
    for (size_t i = 0; i < rest.n; i++)
        if ((unsigned char)rest.p[i] < ' ' || rest.p[i] == 127)
            return wrong(why, "control character in the command");
    out->args = rest;
    return parse_args(out, why);
}
