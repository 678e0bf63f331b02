/* kedge check: explains a domain's mail security as this machine's deliveries see it. */
#include "cmd/commands.h"

#include <getopt.h>
#include <unistd.h>

#include "dns/name.h"
#include "dns/resolver.h"
#include "deliver/settings.h"
#include "inspect/inspect.h"

static const char HELP[] =
    "usage: kedge check [options] DOMAIN\n"
    "Walks the way of a message to DOMAIN (MX, addresses, TLSA, a connection with STARTTLS to every host), "
    "sends none,\n"
    "and says at each step what was found, what it means and what to do. DOMAIN may also be a mail address.\n"
    "  --no-connect          only ask DNS\n"
    "  --mode MODE           opportunistic (default), mandatory or off\n"
    "  --resolver ADDR:PORT  validating resolver, instead of the configuration's\n"
    "  --resolver-trusted    the way to that resolver cannot be spoofed though it is not on loopback\n"
    "  --smtp-port N         instead of the configuration's; for labs\n"
    "  --config FILE, --json\n"
    "Needs no configuration and no daemon: without a file the resolver is 127.0.0.1:53.\n"
    "Exit code: 0 mail would be delivered with the level shown, 1 it would be deferred or bounced, 2 wrong "
    "usage,\n"
    "69 the resolver does not answer.\n";

enum { DNS_MS = 60000, CONNECT_MS = 10000, SMTP_MS = 30000 };

struct check {
    struct arena arena;
    struct conf conf;
    bool has_conf, no_connect, resolver_trusted;
    const char *resolver_text;
    uint32_t port;
    enum mode mode;
    struct str domain;
    struct addr resolver, source4, source6;
    struct buf why;
};

static int wrong_usage(const char *what, const char *word)
{
    (void)fprintf(stderr, "kedge check: %s '%s'; try --help\n", what, word);
    return EXIT_BAD_USAGE;
}

static bool take_option(struct check *c, int option, const char *value)
{
    switch (option) {
    case 'n':
        return c->no_connect = true;
    case 'm':
        return mode_parse(str_of(value), &c->mode);
    case 'r':
        c->resolver_text = value;
        return addr_parse(str_of(value), 53, &c->resolver);
    case 't':
        return c->resolver_trusted = true;
    case 'p':
        return str_to_u32(str_of(value), &c->port) && c->port >= 1 && c->port <= 65535;
    default:
        return false;
    }
}

/* "user@domain", "domain", "domain.", "[192.0.2.1]", "[IPv6:2001:db8::1]". */
static bool take_domain(struct check *c, struct str text)
{
    struct addr literal;
    size_t at = str_rfind_char(text, '@');
    if (at != SIZE_MAX)
        text = str_from(text, at + 1);
    if (!str_starts(text, STR("[")))
        return dns_name_normalise(&c->arena, text, &c->domain) == OK && c->domain.n;
    if (!str_ends(text, STR("]")))
        return false;
    struct str inside = str_sub(text, 1, text.n - 2);
    if (str_starts_nocase(inside, STR("IPv6:")))
        inside = str_from(inside, 5);
    c->domain = arena_printf(&c->arena, "[%.*s]", STR_ARG(inside));
    return addr_parse_ip(inside, &literal);
}

/* A file that was named must be there; the default one need not be. */
static bool take_conf(struct check *c, const struct cli *cli)
{
    bool named = getenv("KEDGE_CONFIG") || strcmp(cli->config_path, "/etc/kedge/kedge.conf") != 0;
    c->has_conf = named || access(cli->config_path, R_OK) == 0;
    if (!c->has_conf)
        conf_default(&c->conf);
    else if (conf_load(cli->config_path, &c->conf, &c->why) != OK)
        return false;
    if (!c->port)
        c->port = (uint32_t)c->conf.smtp_port;
    if (!c->resolver_text) {
        c->resolver_text = c->conf.resolver;
        c->resolver_trusted = c->conf.resolver_trusted;
        ENSURE(addr_parse(str_of(c->conf.resolver), 53, &c->resolver));
    }
    for (size_t i = 0; i < c->conf.source_address.n; i++) {
        struct addr a;
        if (!addr_parse_ip(str_of(c->conf.source_address.v[i]), &a))
            continue;
        struct addr *of_family = addr_is_v6(&a) ? &c->source6 : &c->source4;
        if (!of_family->n)
            *of_family = a;
    }
    return true;
}

/* Without a configuration there are no names to prove with but the root's own. */
static enum err prove(struct check *c, struct resolver *r)
{
    enum err e = resolver_address_check(&c->resolver, c->resolver_trusted, &c->why);
    if (e != OK)
        return e;
    struct str secure = STR(""), bogus = STR("");
    if (c->has_conf && (dns_name_normalise(&c->arena, str_of(c->conf.resolver_proof_secure), &secure) != OK ||
                        dns_name_normalise(&c->arena, str_of(c->conf.resolver_proof_bogus), &bogus) != OK))
        secure = bogus = STR(""); /* an empty option: not asked */
    return resolver_prove(r, secure, bogus, deadline_in(c->conf.resolver_timeout), &c->why);
}

static void print_json(json_t *j)
{
    (void)json_dumpf(j, stdout, JSON_INDENT(2));
    (void)putchar('\n');
    json_decref(j);
}

static int refuse_resolver(const struct check *c, enum err e, bool json)
{
    const struct reason_row *row = reason_row(REASON_RESOLVER_FAULT);
    if (json)
        print_json(json_pack("{s:s%, s:s, s:n, s:s, s:[{s:s, s:s, s:s, s:s, s:s, s:s}]}", "domain",
                             c->domain.p, c->domain.n, "verdict", "deferred", "level", "reason", row->name,
                             "findings", "severity", "problem", "code", row->name, "enhanced", row->temporary,
                             "subject", c->resolver_text, "text", buf_cstr(&c->why), "fix", row->advice));
    else
        (void)fprintf(
            stderr,
            "kedge check: %s\nWithout a resolver that can be relied on nothing can be said about the domain, "
            "and no mail would be sent.\n",
            buf_cstr(&c->why));
    return e == ERR_TIMEOUT ? EXIT_UNAVAILABLE : EXIT_FAILED;
}

static int inspect(struct check *c, struct resolver *resolver, bool json)
{
    struct dns_source source = resolver_source(resolver);
    struct inspect_conf conf = {
        .source = &source,
        .source4 = c->source4.n ? &c->source4 : NULL,
        .source6 = c->source6.n ? &c->source6 : NULL,
        .hello = str_of(c->conf.hostname),
        .port = (uint16_t)c->port,
        .mode = c->mode,
        .insecure_mx = (enum policy_insecure_mx)c->conf.insecure_mx,
        .strength_none = settings_strength_none(&c->conf),
        .dns_ms = DNS_MS,
        .connect_ms = c->conf.connect_timeout < CONNECT_MS ? c->conf.connect_timeout : CONNECT_MS,
        .smtp_ms = c->conf.smtp_timeout < SMTP_MS ? c->conf.smtp_timeout : SMTP_MS,
    };
    if (!c->no_connect &&
        tls_client_new(&(struct tls_client_conf){.ca_file = ""}, &conf.tls, &c->why) != OK) {
        (void)fprintf(stderr, "kedge check: %s\n", buf_cstr(&c->why));
        return EXIT_FAILED;
    }
    struct inspect_report report;
    inspect_domain(&report, c->domain, &conf);
    if (json) {
        print_json(inspect_json(&report));
    } else {
        struct buf text = {0};
        inspect_text(&report, &text);
        (void)fwrite(text.p, 1, text.n, stdout);
        buf_release(&text);
    }
    int code = report.verdict == INSPECT_DELIVERED ? EXIT_OK : EXIT_FAILED;
    inspect_report_release(&report);
    if (conf.tls)
        tls_client_free(conf.tls);
    return code;
}

static int run(struct check *c, const struct cli *cli)
{
    if (!take_conf(c, cli)) {
        (void)fprintf(stderr, "kedge check: %s\n", buf_cstr(&c->why));
        return EXIT_CONFIG;
    }
    struct resolver *resolver = resolver_new(&(struct resolver_conf){.address = c->resolver});
    enum err e = prove(c, resolver);
    int code = e == OK ? inspect(c, resolver, cli->json) : refuse_resolver(c, e, cli->json);
    resolver_free(resolver);
    conf_release(&c->conf);
    return code;
}

static int parse_and_run(struct check *c, const struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {{"no-connect", no_argument, NULL, 'n'},
                                            {"mode", required_argument, NULL, 'm'},
                                            {"resolver", required_argument, NULL, 'r'},
                                            {"resolver-trusted", no_argument, NULL, 't'},
                                            {"smtp-port", required_argument, NULL, 'p'},
                                            {"help", no_argument, NULL, 'H'},
                                            {0}};
    optind = 0; /* the words before these were read by getopt, too */
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":", options, NULL)) >= 0;) {
        if (option == 'H') {
            (void)fputs(HELP, stdout);
            return EXIT_OK;
        }
        if (!take_option(c, option, optarg))
            return wrong_usage("cannot take", argv[optind - 1]);
    }
    if (argc == optind)
        return wrong_usage("the domain is missing after", argv[0]);
    if (argc - optind > 1)
        return wrong_usage("one domain at a time, not also", argv[optind + 1]);
    if (!take_domain(c, str_of(argv[optind])))
        return wrong_usage("this is not a domain:", argv[optind]);
    return run(c, cli);
}

int cmd_check(const struct cli *cli, int argc, char **argv)
{
    struct check c = {.mode = MODE_OPPORTUNISTIC};
    int code = parse_and_run(&c, cli, argc, argv);
    arena_release(&c.arena);
    buf_release(&c.why);
    return code;
}
