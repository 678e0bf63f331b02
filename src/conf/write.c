/* The sample file and the man page, written from the table. */
#include "conf/table.h"

/* Wraps the sentence behind a prefix at about 100 columns. */
static void add_wrapped(struct buf *out, const char *prefix, struct str text)
{
    size_t column = 0;
    for (struct str w = str_word(&text); w.n; w = str_word(&text)) {
        if (column == 0 || column + w.n + 1 > 100) {
            buf_printf(out, "%s%s", column ? "\n" : "", prefix);
            column = strlen(prefix);
        }
        buf_add_char(out, ' ');
        buf_add(out, w);
        column += w.n + 1;
    }
    buf_add_char(out, '\n');
}

void conf_sample(struct buf *out)
{
    buf_add(out, STR("# Kedge. Every option stands here with its default; see kedge.conf(5).\n"
                     "# Check the file with: kedge config --check\n"));
    for (size_t i = 0; i < conf_option_count; i++) {
        const struct conf_option *o = &conf_options[i];
        if (o->section) {
            buf_printf(out, "\n# ---- %s ----\n", o->section);
            continue;
        }
        buf_add_char(out, '\n');
        add_wrapped(out, "#", str_of(o->sentence));
        buf_printf(out, "#%s =%s%s\n", o->name, *o->standard ? " " : "", o->standard);
    }
}

/* mdoc reads a leading dot or quote as a request and a backslash as an escape. */
static void add_mdoc(struct buf *out, struct str text)
{
    if (text.n && (text.p[0] == '.' || text.p[0] == '\''))
        buf_add(out, STR("\\&"));
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\\')
            buf_add(out, STR("\\e"));
        else
            buf_add_char(out, text.p[i]);
        if (text.p[i] == '.' && i + 1 < text.n && text.p[i + 1] == ' ') { /* a new sentence, a new line */
            buf_add_char(out, '\n');
            i++;
        }
    }
    buf_add_char(out, '\n');
}

static void add_option(struct buf *out, const struct conf_option *o)
{
    buf_printf(out, ".It Ic %s = Ar %s\n", o->name, conf_kind_text(o->kind));
    add_mdoc(out, str_of(o->sentence));
    if (o->words)
        buf_printf(out, "One of: %s.\n", o->words);
    if (*o->standard)
        buf_printf(out, "Default:\n.Ql %s .\n", o->standard);
}

void conf_man(struct buf *out)
{
    buf_add(out,
            STR(".Dd November 23, 2026\n.Dt KEDGE.CONF 5\n.Os\n.Sh NAME\n.Nm kedge.conf\n"
                ".Nd configuration of the Kedge SMTP edge\n.Sh DESCRIPTION\n"
                "The file holds one\n.Ql option = value\na line;\n.Ql #\nstarts a comment.\n"
                "Options that are lists take several words and may be given more than once.\n"
                "Durations have a unit\n.Pq ms, s, min, h, d, w ,\nsizes may have one\n.Pq KiB, MiB, GiB .\n"
                "Unknown, repeated and out-of-range options are errors:\n.Nm kedge Cm config Fl -check\n"
                "lists all of them with their lines, and the daemons refuse to start.\n"));
    bool open = false;
    for (size_t i = 0; i < conf_option_count; i++) {
        const struct conf_option *o = &conf_options[i];
        if (o->section) {
            buf_printf(out, "%s.Ss %s\n.Bl -tag -width Ds\n", open ? ".El\n" : "", o->section);
            open = true;
        } else {
            add_option(out, o);
        }
    }
    buf_add(out,
            STR(".El\n.Sh FILES\n.Bl -tag -width Ds\n.It Pa /etc/kedge/kedge.conf\nread by default\n.El\n"
                ".Sh SEE ALSO\n.Xr kedge 1 ,\n.Xr kedge-control 8 ,\n.Xr kedge-deliver 8 ,\n.Xr kedge-smtpd "
                "8\n"));
}
