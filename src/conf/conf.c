#include "conf/conf.h"

#include <unistd.h>

#include "base/die.h"
#include "base/file.h"
#include "conf/table.h"

void conf_release(struct conf *c)
{
    for (size_t i = 0; i < conf_option_count; i++)
        if (conf_options[i].name)
            conf_value_release(c, &conf_options[i]);
    *c = (struct conf){0};
}

static void set_defaults(struct conf *c)
{
    *c = (struct conf){0};
    for (size_t i = 0; i < conf_option_count; i++) {
        struct buf why = {0};
        const struct conf_option *o = &conf_options[i];
        ENSURE(!o->name || conf_value_set(c, o, str_of(o->standard), false, &why));
        buf_release(&why);
    }
}

/* What depends on other options or on the system. */
static void fill_in(struct conf *c)
{
    if (!*c->hostname) {
        char name[254] = "";
        (void)gethostname(name, sizeof name - 1);
        free(c->hostname);
        c->hostname = str_dup(*name ? str_of(name) : STR("localhost"));
    }
    if (!*c->run_directory) {
        struct buf path = {0};
        buf_printf(&path, "%s/run", c->data_directory);
        free(c->run_directory);
        c->run_directory = path.p;
    }
}

void conf_default(struct conf *out)
{
    set_defaults(out);
    fill_in(out);
}

static const struct conf_option *find(struct str name)
{
    for (size_t i = 0; i < conf_option_count; i++)
        if (conf_options[i].name && str_equal(str_of(conf_options[i].name), name))
            return &conf_options[i];
    return NULL;
}

static bool is_list(const struct conf_option *o)
{
    return o->kind >= KIND_ADDRESS_LIST;
}

/* Levenshtein distance of short words, for "did you mean". */
static size_t distance(struct str a, struct str b)
{
    size_t row[64];
    if (a.n >= 64 || b.n >= 64)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t best = diagonal + (a.p[i - 1] != b.p[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b.n];
}

static void say_unknown(struct str name, struct buf *why)
{
    const char *nearest = NULL;
    size_t least = 4;
    for (size_t i = 0; i < conf_option_count; i++) {
        if (!conf_options[i].name)
            continue;
        size_t d = distance(name, str_of(conf_options[i].name));
        if (d < least) {
            least = d;
            nearest = conf_options[i].name;
        }
    }
    buf_printf(why, "unknown option \"%.*s\"", STR_ARG(name));
    if (nearest)
        buf_printf(why, "; did you mean %s?", nearest);
}

struct place {
    const char *file;
    unsigned line;
    unsigned *given; /* line at which option i was given first, 0 */
};

static bool parse_line(struct str line, struct place at, struct conf *c, struct buf *mistake)
{
    struct str value = line;
    struct str name = str_trim(str_cut(&value, '='));
    if (!value.p) {
        buf_printf(mistake, "expected \"option = value\", found \"%.*s\"", STR_ARG(name));
        return false;
    }
    const struct conf_option *o = find(name);
    if (!o) {
        say_unknown(name, mistake);
        return false;
    }
    unsigned *given = &at.given[o - conf_options];
    if (*given && !is_list(o)) {
        buf_printf(mistake, "%s was given in line %u already", o->name, *given);
        return false;
    }
    struct buf detail = {0};
    bool fine = conf_value_set(c, o, str_trim(value), *given != 0, &detail);
    if (!fine)
        buf_printf(mistake, "%s: %s", o->name, buf_cstr(&detail));
    buf_release(&detail);
    if (!*given)
        *given = at.line;
    return fine;
}

static struct str without_comment(struct str line)
{
    return str_trim(str_sub(line, 0, str_find_char(line, '#')));
}

enum err conf_parse(struct str text, const char *name, struct conf *out, struct buf *why)
{
    struct buf mistakes = {0};
    unsigned *given = must_alloc(calloc(conf_option_count, sizeof *given));
    set_defaults(out);
    for (unsigned number = 1; text.n; number++) {
        struct str line = without_comment(str_cut(&text, '\n'));
        struct buf mistake = {0};
        if (memchr(line.p ? line.p : "", '\0', line.n))
            buf_add(&mistake, STR("holds a NUL byte; is this a text file?"));
        else if (line.n)
            (void)parse_line(line, (struct place){name, number, given}, out, &mistake);
        if (mistake.n)
            buf_printf(&mistakes, "%s%s:%u: %s", mistakes.n ? "\n" : "", name, number, buf_cstr(&mistake));
        buf_release(&mistake);
    }
    free(given);
    if (!mistakes.n) {
        fill_in(out);
        return OK;
    }
    buf_set(why, "%s", buf_cstr(&mistakes));
    buf_release(&mistakes);
    conf_release(out);
    return ERR_MALFORMED;
}

enum err conf_load(const char *path, struct conf *out, struct buf *why)
{
    struct buf text = {0};
    *out = (struct conf){0};
    enum err e = file_read(path, CONF_FILE_MAX, &text, why);
    if (e == OK)
        e = conf_parse(buf_str(&text), path, out, why);
    buf_release(&text);
    return e;
}

void conf_show(const struct conf *c, struct buf *out)
{
    for (size_t i = 0; i < conf_option_count; i++) {
        if (!conf_options[i].name)
            continue;
        buf_printf(out, "%s = ", conf_options[i].name);
        conf_value_show(c, &conf_options[i], out);
        buf_add_char(out, '\n');
    }
}
