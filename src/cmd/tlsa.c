/* kedge tlsa make|verify: TLSA records from files, and the verdict of `dane` on a chain, without a network.
 */
#include "cmd/commands.h"

#include <getopt.h>
#include <jansson.h>

#include "base/codec.h"
#include "dane/material.h"
#include "dns/name.h"

enum { NO_USABLE_RECORD = 3 };

static const char MAKE_HELP[] =
    "usage: kedge tlsa make [options] FILE...\n"
    "Prints the TLSA records for certificates or keys (PEM or DER), a line each, as a zone file wants them.\n"
    "  --usage N          3: the server's own key, 2: an issuing CA (default 3)\n"
    "  --selector N       1: the public key, 0: the whole certificate (default 1)\n"
    "  --matching-type N  1: SHA-256, 2: SHA-512, 0: no digest (default 1)\n"
    "  --host NAME        MX host; without it the owner is relative: _25._tcp\n"
    "  --port N           default 25\n"
    "  --ttl SECONDS      default: none in the line\n"
    "  --json             machine-readable\n"
    "From a file with a chain, usage 3 takes the first certificate, usage 2 every one behind it.\n";

static const char VERIFY_HELP[] =
    "usage: kedge tlsa verify --base NAME [--name REFERENCE]... --tlsa \"U S M HEX\" [--tlsa ...]\n"
    "                         --chain FILE.pem [--time EPOCH] [--json]\n"
    "Judges a certificate chain by TLSA records exactly as a delivery would, without a network.\n"
    "  --base NAME   TLSA base domain: the MX host, in general\n"
    "  --name NAME   one more name that the certificate may carry (usage 2), such as the recipient domain\n"
    "  --tlsa TEXT   a record: usage, selector, matching type, data in hexadecimal\n"
    "  --chain FILE  PEM, the server's own certificate first\n"
    "  --time EPOCH  judge dates as of this Unix time\n"
    "Exit code: 0 match, 1 no match, 2 wrong usage, 3 no usable record.\n";

static const char HELP[] = "usage: kedge tlsa make [options] FILE...\n"
                           "       kedge tlsa verify [options]\n"
                           "Each has --help.\n";

static int wrong_usage(const char *what, const struct buf *why)
{
    (void)fprintf(stderr, "kedge tlsa: %s%s%s; try --help\n", what, why && why->n ? ": " : "",
                  why ? buf_cstr(why) : "");
    return EXIT_BAD_USAGE;
}

/* getopt stopped at this word: an option that nobody knows or that lacks its value, or a value that is none.
 */
static int wrong_option(const char *word, const struct buf *why)
{
    (void)fprintf(stderr, "kedge tlsa: cannot take '%s'%s%s; try --help\n", word, why->n ? ": " : "",
                  buf_cstr(why));
    return EXIT_BAD_USAGE;
}

static json_t *json_of(struct str s)
{
    return json_stringn_nocheck(s.p ? s.p : "", s.n);
}

static void print_json(json_t *j)
{
    ENSURE(j);
    (void)json_dumpf(j, stdout, JSON_INDENT(2));
    (void)putchar('\n');
    json_decref(j);
}

static void put_unusable(json_t *to, const struct tlsa *record)
{
    enum dane_tlsa_fault fault = dane_tlsa_fault(record);
    ENSURE(json_object_set_new(to, "usable", json_boolean(fault == DANE_TLSA_USABLE)) == 0);
    if (fault != DANE_TLSA_USABLE)
        ENSURE(json_object_set_new(to, "why", json_string(dane_tlsa_fault_sentence(fault))) == 0);
}

static json_t *json_record(const struct tlsa *record)
{
    struct buf text = {0};
    dane_tlsa_format(&text, record);
    json_t *j = json_of(buf_str(&text));
    buf_release(&text);
    return j;
}

/* --- make --- */

enum { RECORDS_MAX = 64 };

struct make {
    uint32_t usage, selector, mtype, port, ttl;
    bool has_ttl;
    struct str host, owner;
    struct arena arena;
    struct buf why;
    struct tlsa record[RECORDS_MAX];
    size_t n;
};

static bool number(const char *text, uint32_t least, uint32_t most, uint32_t *out)
{
    return str_to_u32(str_of(text), out) && *out >= least && *out <= most;
}

static bool make_option(struct make *m, int c, const char *value)
{
    switch (c) {
    case 'u':
        return number(value, 2, 3, &m->usage);
    case 's':
        return number(value, 0, 1, &m->selector);
    case 'm':
        return number(value, 0, 2, &m->mtype);
    case 'p':
        return number(value, 1, 65535, &m->port);
    case 't':
        return m->has_ttl = number(value, 0, INT32_MAX, &m->ttl);
    case 'n':
        return dns_name_normalise(&m->arena, str_of(value), &m->host) == OK && dns_name_is_host(m->host);
    default:
        return false;
    }
}

static enum err make_record(struct make *m, X509 *cert, EVP_PKEY *key)
{
    if (m->n == RECORDS_MAX) {
        buf_set(&m->why, "too many certificates");
        return ERR_FULL;
    }
    enum err e = dane_tlsa_make(cert, key, (uint8_t)m->usage, (uint8_t)m->selector, (uint8_t)m->mtype,
                                &m->arena, &m->record[m->n], &m->why);
    for (size_t i = 0; e == OK && i < m->n; i++)
        if (str_equal(m->record[i].data, m->record[m->n].data))
            return OK; /* the same key twice is one record */
    m->n += e == OK;
    return e;
}

static enum err make_file(struct make *m, const char *path)
{
    struct dane_material file;
    enum err e = dane_material_read(path, &file, &m->why);
    if (e != OK)
        return e;
    int count = sk_X509_num(file.certs);
    if (count == 0) {
        e = make_record(m, NULL, file.key);
    } else if (m->usage == 3 || count == 1) {
        e = make_record(m, sk_X509_value(file.certs, 0), NULL);
    } else {
        for (int i = 1; e == OK && i < count; i++)
            e = make_record(m, sk_X509_value(file.certs, i), NULL);
    }
    dane_material_release(&file);
    return e;
}

static void make_print_json(const struct make *m)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->n; i++) {
        const struct tlsa *t = &m->record[i];
        struct buf hex = {0};
        hex_append(&hex, t->data.p, t->data.n);
        ENSURE(
            json_array_append_new(list, json_pack("{s:o, s:i, s:i, s:i, s:o}", "owner", json_of(m->owner),
                                                  "usage", t->usage, "selector", t->selector, "matching_type",
                                                  t->mtype, "data", json_of(buf_str(&hex)))) == 0);
        buf_release(&hex);
    }
    print_json(json_pack("{s:o}", "records", list));
}

static void make_print(const struct make *m)
{
    for (size_t i = 0; i < m->n; i++) {
        struct buf line = {0};
        buf_printf(&line, "%.*s ", STR_ARG(m->owner));
        if (m->has_ttl)
            buf_printf(&line, "%u ", m->ttl);
        buf_add(&line, STR("IN TLSA "));
        dane_tlsa_format(&line, &m->record[i]);
        (void)puts(buf_cstr(&line));
        buf_release(&line);
    }
}

static int make_run(struct make *m, bool json, int argc, char **argv)
{
    static const struct option options[] = {{"usage", required_argument, NULL, 'u'},
                                            {"selector", required_argument, NULL, 's'},
                                            {"matching-type", required_argument, NULL, 'm'},
                                            {"host", required_argument, NULL, 'n'},
                                            {"port", required_argument, NULL, 'p'},
                                            {"ttl", required_argument, NULL, 't'},
                                            {"help", no_argument, NULL, 'H'},
                                            {0}};
    for (int c; (c = getopt_long(argc, argv, ":", options, NULL)) >= 0;) {
        if (c == 'H') {
            (void)fputs(MAKE_HELP, stdout);
            return EXIT_OK;
        }
        if (!make_option(m, c, optarg))
            return wrong_option(argv[optind - 1], &m->why);
    }
    if (optind == argc)
        return wrong_usage("no file named", NULL);
    m->owner = m->host.n ? arena_printf(&m->arena, "_%u._tcp.%.*s.", m->port, STR_ARG(m->host))
                         : arena_printf(&m->arena, "_%u._tcp", m->port);
    for (int i = optind; i < argc; i++)
        if (make_file(m, argv[i]) != OK)
            return wrong_usage("nothing made", &m->why);
    if (json)
        make_print_json(m);
    else
        make_print(m);
    return EXIT_OK;
}

static int tlsa_make(bool json, int argc, char **argv)
{
    struct make *m = must_alloc(calloc(1, sizeof *m));
    *m = (struct make){.usage = 3, .selector = 1, .mtype = 1, .port = 25};
    int code = make_run(m, json, argc, argv);
    arena_release(&m->arena);
    buf_release(&m->why);
    free(m);
    return code;
}

/* --- verify --- */

struct verify {
    struct arena arena;
    struct buf why;
    struct dane_identity who;
    struct str *names;
    struct tlsa_set set;
    const char *chain_path;
    int64_t at;
};

static bool verify_option(struct verify *v, int c, const char *value)
{
    uint64_t seconds;
    switch (c) {
    case 'b':
        return dns_name_normalise(&v->arena, str_of(value), &v->who.base) == OK && v->who.base.n;
    case 'n':
        return dns_name_normalise(&v->arena, str_of(value), &v->names[v->who.n]) == OK &&
               v->names[v->who.n++].n;
    case 'r':
        return dane_tlsa_parse(str_of(value), &v->arena, &v->set.v[v->set.n++], &v->why) == OK;
    case 'c':
        v->chain_path = value;
        return true;
    case 't':
        if (!str_to_u64(str_of(value), &seconds) || seconds > INT64_MAX)
            return false;
        v->at = (int64_t)seconds;
        return true;
    default:
        return false;
    }
}

static int exit_code_of(const struct dane_verdict *verdict)
{
    if (verdict->match)
        return EXIT_OK;
    return verdict->reason == DANE_UNUSABLE ? NO_USABLE_RECORD : EXIT_FAILED;
}

static void verify_print_json(const struct verify *v, const struct dane_verdict *verdict)
{
    json_t *records = json_array();
    for (size_t i = 0; i < v->set.n; i++) {
        json_t *r = json_pack("{s:o}", "record", json_record(&v->set.v[i]));
        put_unusable(r, &v->set.v[i]);
        ENSURE(json_array_append_new(records, r) == 0);
    }
    struct buf leaf = {0};
    if (verdict->has_leaf)
        hex_append(&leaf, verdict->leaf_spki_sha256, 32);
    const char *word = verdict->match ? "match" : verdict->reason == DANE_UNUSABLE ? "unusable" : "no-match";
    print_json(json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:o}", "verdict", word, "reason",
                         dane_reason_name(verdict->reason), "record",
                         verdict->match ? json_record(&verdict->record) : json_null(), "depth",
                         verdict->match ? json_integer(verdict->depth) : json_null(), "text", verdict->text,
                         "leaf_spki_sha256", json_of(buf_str(&leaf)), "records", records));
    buf_release(&leaf);
}

static void verify_print(const struct verify *v, const struct dane_verdict *verdict)
{
    (void)printf("%s: %s\n", dane_reason_name(verdict->reason), verdict->text);
    if (verdict->match) {
        struct buf record = {0};
        dane_tlsa_format(&record, &verdict->record);
        (void)printf("record: %s\ndepth: %d\n", buf_cstr(&record), verdict->depth);
        buf_release(&record);
    }
    for (size_t i = 0; i < v->set.n; i++) {
        const struct tlsa *t = &v->set.v[i];
        enum dane_tlsa_fault fault = dane_tlsa_fault(t);
        if (fault != DANE_TLSA_USABLE)
            (void)printf("not usable: %u %u %u: %s\n", t->usage, t->selector, t->mtype,
                         dane_tlsa_fault_sentence(fault));
    }
}

static int verify_judge(struct verify *v, bool json)
{
    struct dane_material file;
    if (dane_material_read(v->chain_path, &file, &v->why) != OK)
        return wrong_usage("--chain", &v->why);
    if (sk_X509_num(file.certs) == 0) {
        dane_material_release(&file);
        return wrong_usage("--chain: there is a key in the file, but no certificate", NULL);
    }
    struct tlsa_set usable;
    struct dane_verdict verdict;
    v->who.names = v->names;
    dane_usable(&v->set, &v->arena, &usable);
    dane_judge_chain(file.certs, &usable, &v->who, v->at, &verdict);
    if (json)
        verify_print_json(v, &verdict);
    else
        verify_print(v, &verdict);
    dane_material_release(&file);
    return exit_code_of(&verdict);
}

static int verify_run(struct verify *v, bool json, int argc, char **argv)
{
    static const struct option options[] = {{"base", required_argument, NULL, 'b'},
                                            {"name", required_argument, NULL, 'n'},
                                            {"tlsa", required_argument, NULL, 'r'},
                                            {"chain", required_argument, NULL, 'c'},
                                            {"time", required_argument, NULL, 't'},
                                            {"help", no_argument, NULL, 'H'},
                                            {0}};
    for (int c; (c = getopt_long(argc, argv, ":", options, NULL)) >= 0;) {
        if (c == 'H') {
            (void)fputs(VERIFY_HELP, stdout);
            return EXIT_OK;
        }
        if (!verify_option(v, c, optarg))
            return wrong_option(argv[optind - 1], &v->why);
    }
    if (optind < argc)
        return wrong_usage(argv[optind], NULL);
    if (!v->who.base.n || !v->chain_path || v->set.n == 0)
        return wrong_usage("--base, --tlsa and --chain are needed", NULL);
    return verify_judge(v, json);
}

static int tlsa_verify(bool json, int argc, char **argv)
{
    struct verify v = {.at = DANE_NOW};
    v.names = ARENA_ARRAY(&v.arena, struct str, (size_t)argc);
    v.set.v = ARENA_ARRAY(&v.arena, struct tlsa, (size_t)argc);
    int code = verify_run(&v, json, argc, argv);
    arena_release(&v.arena);
    buf_release(&v.why);
    return code;
}

int cmd_tlsa(const struct cli *cli, int argc, char **argv)
{
    optind = 0; /* the words before these were read by getopt, too */
    opterr = 0;
    if (argc >= 2 && strcmp(argv[1], "make") == 0)
        return tlsa_make(cli->json, argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "verify") == 0)
        return tlsa_verify(cli->json, argc - 1, argv + 1);
    bool help = argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0);
    (void)fputs(HELP, help ? stdout : stderr);
    return help ? EXIT_OK : EXIT_BAD_USAGE;
}
