#include "cmd/cli_table.h"

#include "cmd/cli_domain.h"
#include "cmd/cli_report.h"
#include "cmd/cli_told.h"

const struct cli_option cli_options[] = {
    {"tenant", "NAME", CLI_TEXT, "tenant", NULL,
     "the tenant; for modes and routes '*' is every tenant, and the default"},
    {"mailbox-host", "PROTOCOL:HOST:PORT", CLI_TEXT, "mailbox_host", NULL,
     "where its mail goes: smtp:HOST:PORT or lmtp:HOST:PORT; HOST is a name, an IPv4 address or an IPv6 "
     "address in brackets"},
    {"tls", "LEVEL", CLI_TEXT, "tls", "none encrypt verify",
     "towards the mailbox host: none (taken when offered), encrypt (required) or verify (required, "
     "certificate checked)"},
    {"recipients", "POLICY", CLI_TEXT, "recipients", "any list ask",
     "any: every address is accepted; list: those of \"kedge recipient\" (the default); ask: those that the "
     "mailbox host takes when it is asked"},
    {"mx-host", "NAME", CLI_TEXT, "mx_host", NULL,
     "the name in its MX record, instead of one in an MX zone; without zones the option hostname is the "
     "default"},
    {"zone", "ZONE", CLI_TEXT, "zone", NULL, "the MX zone to take; default: the emptiest one that is open"},
    {"dane", NULL, CLI_FLAG, "dane", NULL, "publish TLSA records for it at once, too"},
    {"tag", "TAG", CLI_TEXT, "tag", NULL, "a word of yours by which rollouts choose domains"},
    {"hold", "TIME", CLI_TEXT, "hold", NULL,
     "how long a wave must be well before the next one; default: 24h"},
    {"baseline", "TIME", CLI_TEXT, "baseline", NULL,
     "how far back to look for what was usual at the same domains; default: 24h"},
    {"tolerance", "PERCENT", CLI_TEXT, "tolerance", NULL,
     "by how much the share of mail that is deferred or turned away may grow; default: 2"},
    {"least", "N", CLI_TEXT, "least", NULL, "fewer bad ones than this mean nothing; default: 5"},
    {"wave", "N", CLI_TEXT, "wave", NULL, "undo this wave and those behind it; default: the last one"},
    {"file", "FILE", CLI_FILE, "file", NULL, "the domains are the lines of this file; '#' begins a comment"},
    {"all", NULL, CLI_FLAG, "all", NULL, "all accepted domains"},
    {"no-connect", NULL, CLI_FLAG, "no_connect", NULL, "only ask DNS, and the web server of MTA-STS"},
    {"connect", NULL, CLI_FLAG, "connect", NULL,
     "connect to the MX host of each domain, too; the default for domains that are named"},
    {"wait", NULL, CLI_FLAG, "wait", NULL, "stay until all is done, and say each step as it comes"},
    {"undo", NULL, CLI_FLAG, "undo", NULL, "go back, the last step first"},
    {"low-ttl", "SECONDS", CLI_TEXT, "low_ttl", NULL,
     "how low the TTL of the MX records shall be while they change, 30 at the least; default: 300"},
    {"edge-group", "GROUP", CLI_TEXT, "edge_group", NULL,
     "the edge group whose addresses the MX hosts get; default: the only one there is"},
    {"address", "IP", CLI_MANY, "address", NULL, "an address of the group's edges, as senders see it"},
    {"no-address", "IP", CLI_MANY, "no_address", NULL, "takes an address away"},
    {"primary", "ADDRESS:PORT", CLI_TEXT, "primary", NULL,
     "the server that takes updates of the zone (DNS UPDATE) and hands it out (AXFR); port 53 by default"},
    {"tsig", "KEY", CLI_TEXT, "tsig", NULL,
     "NAME:ALGORITHM:SECRET (base64) that signs updates and transfers; none: unsigned"},
    {"tsig-file", "FILE", CLI_FILE, "tsig_file", NULL, "a file whose first line is that key"},
    {"capacity", "N", CLI_TEXT, "capacity", NULL, "how many MX hosts the zone takes; default: 5000"},
    {"ttl", "TTL", CLI_TEXT, "ttl", NULL, "of TLSA records; default: 30min"},
    {"address-ttl", "TTL", CLI_TEXT, "address_ttl", NULL, "of the MX hosts' addresses; default: 1h"},
    {"tlsa", "WHERE", CLI_TEXT, "tlsa", "alias host",
     "alias: each MX host's TLSA name is an alias of its key set's (the default); host: the records stand at "
     "each"},
    {"open", "YES", CLI_TEXT, "open", "yes no", "whether new MX hosts are put there; default: yes"},
    {"sender-domain", "DOMAIN", CLI_MANY, "sender_domain", NULL,
     "the tenant may send as this domain too, besides its accepted ones"},
    {"no-sender-domain", "DOMAIN", CLI_MANY, "no_sender_domain", NULL, "takes a sender domain back"},
    {"rename", "NEW", CLI_TEXT, "rename", NULL, "the new name or address"},
    {"force", NULL, CLI_FLAG, "force", NULL, "remove it although it is in use, with all that belongs to it"},
    {"network", "CIDR", CLI_TEXT, "network", NULL, "the relay is this network or address"},
    {"certificate", "FILE", CLI_FILE, "certificate_pem", NULL,
     "the relay is who has this client certificate (PEM)"},
    {"sha256", "HEX", CLI_TEXT, "sha256", NULL,
     "the relay is who has the client certificate with this SHA-256"},
    {"to", "HOST:PORT", CLI_TEXT, "to", NULL, "the next hop instead of the MX records; port 25 by default"},
    {"owner", "WHO", CLI_TEXT, "owner", NULL, "who answers for the exception (needed for off)"},
    {"reason", "TEXT", CLI_TEXT, "reason", NULL, "why it is there (needed for off)"},
    {"expires", "DATE", CLI_TEXT, "expires", NULL,
     "when it lapses to opportunistic (needed for off): 2027-01-31, or a time from now like 30d"},
    {"self-sign", "NAME", CLI_TEXT, "self_sign", NULL,
     "make a P-256 key and a self-signed certificate for this name"},
    {"name", "NAME", CLI_MANY, "name", NULL,
     "serve this server name with it; '*.mx.example' covers one label; default: the names in the "
     "certificate"},
    {"cert", "FILE", CLI_FILE, "certificate_pem", NULL, "certificate chain (PEM), the server's own first"},
    {"key", "FILE", CLI_FILE, "key_pem", NULL, "its private key (PEM, not encrypted)"},
    {"group", "GROUP", CLI_TEXT, "group", NULL,
     "a key group: keys for the MX hosts of the zones, which roll through the gate; a letter, then letters "
     "and digits"},
    {"rsa", NULL, CLI_FLAG, "rsa", NULL, "serve an RSA-3072 key beside the ECDSA one"},
    {"no-rsa", NULL, CLI_FLAG, "no_rsa", NULL, "ECDSA alone"},
    {"ta", NULL, CLI_FLAG, "ta", NULL, "publish the issuing CA (2 1 1), too"},
    {"no-ta", NULL, CLI_FLAG, "no_ta", NULL, "publish no CA"},
    {"next", "KIND", CLI_TEXT, "next", "self-signed imported",
     "where next keys come from: self-signed (made here as needed) or imported (each by \"kedge key "
     "stage\")"},
    {"algorithm", "NAME", CLI_TEXT, "algorithm", "ecdsa rsa", "which of the keys; default: ecdsa"},
    {"id", "KEY", CLI_TEXT, "id", NULL, "the number of one key of the group, as \"kedge key show\" gives it"},
    {"domain", "DOMAIN", CLI_TEXT, "domain", NULL, "those about this accepted domain and its MX host alone"},
    {"yes", NULL, CLI_FLAG, "yes", NULL, "do it without asking"},
    {"default", NULL, CLI_FLAG, "default", NULL,
     "serve it to clients that ask for no name or an unknown one"},
};
const size_t cli_option_count = sizeof cli_options / sizeof *cli_options;

static const struct cli_verb tenant[] = {
    {"list", "", "", "all tenants", NULL},
    {"show", "tenant=NAME", "", "one tenant", NULL},
    {"add", "tenant=NAME", "sender-domain", "a new tenant", "kedge tenant add acme"},
    {"set", "tenant=NAME", "rename sender-domain no-sender-domain", "change a tenant",
     "kedge tenant set acme --sender-domain newsletter.example"},
    {"remove", "tenant=NAME", "force",
     "remove a tenant; with --force its domains, recipients, relays and rules too", NULL},
};
static const struct cli_verb domain[] = {
    {"list", "", "tenant", "all accepted domains", "kedge domain list --tenant acme --json"},
    {"show", "domain=DOMAIN", "", "one accepted domain", NULL},
    {"add", "domain=DOMAIN...", "tenant mailbox-host tls recipients mx-host zone dane tag file",
     "accept mail for a domain; where there is an MX zone, it gets an MX host there",
     "kedge domain add acme.example --tenant acme --mailbox-host smtp:10.0.0.5:25 --recipients any"},
    {"set", "domain=DOMAIN...", "tenant mailbox-host tls recipients mx-host tag file",
     "change an accepted domain", "kedge domain set acme.example --tls verify"},
    {"remove", "domain=DOMAIN...", "file", "accept no more mail for a domain; its recipients go too", NULL},
    {"dnssec enable", "domain=DOMAIN...", "zone file tenant all",
     "give a domain an MX host in a signed MX zone",
     "kedge domain dnssec enable acme.example\n  kedge domain dnssec enable --tenant acme"},
    {"dnssec disable", "domain=DOMAIN...", "file tenant all",
     "take the MX host out of the zone, two TTLs from now", NULL},
    {"dane enable", "domain=DOMAIN...", "file tenant all", "publish TLSA records for a domain's MX host",
     "kedge domain dane enable --file domains.txt"},
    {"dane disable", "domain=DOMAIN...", "file tenant all", "publish none", NULL},
    {"status", "domain=DOMAIN...", "file tenant all no-connect connect",
     "what is true about domains, seen from outside, with findings, evidence and fixes",
     "kedge domain status acme.example\n  kedge domain status --all --json", cli_domain_status},
    {"codes", "", "", "what the codes of findings mean", NULL, cli_domain_codes},
    {"switch", "domain=DOMAIN", "wait undo low-ttl",
     "move a domain to its MX host in the signed zone, step by step; says what to enter at the DNS provider",
     "kedge domain switch acme.example --wait", cli_domain_switch},
};
static const struct cli_verb edge_group[] = {
    {"list", "", "", "all edge groups", NULL},
    {"show", "edge_group=GROUP", "", "one edge group, its edges and the zones that use it", NULL},
    {"add", "edge_group=GROUP", "address", "a new edge group",
     "kedge edge-group add default --address 192.0.2.25 --address 2001:db8::25"},
    {"set", "edge_group=GROUP", "address no-address", "change its addresses", NULL},
    {"remove", "edge_group=GROUP", "", "forget a group that nothing uses", NULL},
};
static const struct cli_verb edge[] = {
    {"list", "", "", "all edges, and when they last said what they serve", NULL},
    {"show", "edge=EDGE", "", "what an edge serves, and what it saw when it dialled its own names", NULL},
    {"set", "edge=EDGE", "edge-group", "put an edge into another group", NULL},
    {"remove", "edge=EDGE", "", "no longer wait for an edge that is gone for good", NULL},
};
static const struct cli_verb zone[] = {
    {"list", "", "", "all MX zones", NULL},
    {"show", "zone=ZONE", "", "one MX zone", NULL},
    {"add", "zone=ZONE", "primary tsig tsig-file edge-group capacity ttl address-ttl tlsa open",
     "a new MX zone; it must be there on its primary, signed, and delegated with a DS record",
     "kedge zone add k1.mx.provider.example --primary 192.0.2.53 --tsig-file /etc/kedge/k1.tsig"},
    {"set", "zone=ZONE", "primary tsig tsig-file edge-group capacity ttl address-ttl tlsa open",
     "change an MX zone", "kedge zone set k1.mx.provider.example --open no"},
    {"remove", "zone=ZONE", "force", "forget an MX zone without MX hosts; its records stay", NULL},
    {"status", "[zone=ZONE...]", "",
     "how publishing stands: servers, serials, backlog, signatures, foreign records", "kedge zone status",
     cli_told},
    {"diff", "[zone=ZONE...]", "", "what differs on the primary from what is wanted, without sending it",
     NULL, cli_told},
    {"publish", "[zone=ZONE...]", "", "compare with the primary and send what differs, now", NULL, cli_told},
    {"verify", "[zone=ZONE...]", "", "ask every authoritative server at every address, now", NULL, cli_told},
};
static const struct cli_verb rollout[] = {
    {"list", "", "", "all rollouts", NULL},
    {"plan", "rollout=NAME", "tenant tag hold baseline tolerance least",
     "choose the domains that have an MX host in a signed zone and no DANE, and the waves in which they move",
     "kedge rollout plan spring --tenant acme --hold 24h", cli_told},
    {"start", "rollout=NAME", "", "begin with the first wave", NULL, cli_told},
    {"status", "rollout=NAME", "", "where it stands, and how the domains of each wave do", NULL, cli_told},
    {"pause", "rollout=NAME", "", "move nothing, and watch nothing, until it is resumed", NULL, cli_told},
    {"resume", "rollout=NAME", "", "go on with the wave at which it stands", NULL, cli_told},
    {"back", "rollout=NAME", "wave", "switch DANE off again for the last wave, or from a wave on",
     "kedge rollout back spring --wave 1", cli_told},
};
static const struct cli_verb report[] = {
    {"take", "[file=FILE...]", "",
     "take TLS reports (RFC 8460): JSON, gzip, or the mail that brings one; - or no file: standard input",
     "kedge report take reports/*.json.gz\n"
     "  kedge report take < mail.eml",
     cli_report_take},
    {"list", "", "domain", "what TLS reports counted, the last 1000, newest first",
     "kedge report list --domain acme.example --json"},
};
static const struct cli_verb recipient[] = {
    {"list", "domain=DOMAIN", "", "the recipients of an accepted domain", NULL},
    {"show", "recipient=ADDRESS", "", "is this address a recipient?", NULL},
    {"add", "recipient=ADDRESS...", "", "accept mail for an address",
     "kedge recipient add anna@acme.example otto@acme.example"},
    {"set", "recipient=ADDRESS", "rename", "replace an address",
     "kedge recipient set ana@acme.example --rename anna@acme.example"},
    {"remove", "recipient=ADDRESS...", "", "accept no more mail for an address", NULL},
};
static const struct cli_verb relay[] = {
    {"list", "", "tenant", "who may send through this machine", NULL},
    {"show", "", "network certificate sha256", "one relay", NULL},
    {"add", "", "tenant network certificate sha256",
     "let a network or the holder of a certificate send as a tenant",
     "kedge relay add --tenant acme --network 10.0.0.0/24"},
    {"set", "", "tenant network certificate sha256", "give a relay to another tenant", NULL},
    {"remove", "", "network certificate sha256", "let it send no more",
     "kedge relay remove --network 10.0.0.0/24"},
};
static const struct cli_verb route[] = {
    {"list", "", "tenant", "all routes", NULL},
    {"show", "domain=DOMAIN", "tenant", "one route", NULL},
    {"add", "domain=DOMAIN", "tenant to", "send mail for a remote domain to a host instead of its MX",
     "kedge route add partner.example --tenant acme --to relay.partner.example:25"},
    {"set", "domain=DOMAIN", "tenant to", "the same, replacing a route that is there", NULL},
    {"remove", "domain=DOMAIN", "tenant", "go by the MX records again", NULL},
};
static const struct cli_verb mode[] = {
    {"list", "", "tenant", "all modes that were set", NULL},
    {"show", "domain=DOMAIN", "tenant", "the mode in force for a remote domain, and the rule that says so",
     "kedge mode show partner.example --tenant acme"},
    {"add", "domain=DOMAIN mode=MODE", "tenant owner reason expires", "set a mode where none is set", NULL},
    {"set", "domain=DOMAIN mode=MODE", "tenant owner reason expires",
     "demand of a remote domain: opportunistic, mandatory or off; DOMAIN is a name, .parent.example or '*'",
     "kedge mode set partner.example mandatory --tenant acme\n"
     "  kedge mode set broken.example off --tenant '*' --owner anna --reason 'TLSA stale, told them' "
     "--expires 14d"},
    {"remove", "domain=DOMAIN", "tenant", "go by the next less specific rule again", NULL},
};
static const struct cli_verb key[] = {
    {"list", "", "", "all keys", NULL},
    {"show", "key=KEY", "",
     "one key group with its keys and what the gate awaits; or one key by number or name",
     "kedge key show g1", cli_told},
    {"add", "", "self-sign cert key name default group rsa ta", "import a certificate and key, or make them",
     "kedge key add --group g1\n"
     "  kedge key add --self-sign mx1.acme.example\n"
     "  kedge key add --cert fullchain.pem --key privkey.pem --name '*.mx.acme.example'"},
    {"set", "key=KEY", "name default rsa no-rsa ta no-ta next",
     "serve more names with a key, or change a key group", NULL},
    {"remove", "key=KEY", "force", "forget a key", NULL},
    {"timeline", "key=KEY", "", "what happened to the keys of a group, and when", NULL, cli_told},
    {"roll", "key=KEY", "algorithm wait", "serve the next key of a group as soon as the gate allows",
     "kedge key roll g1 --wait", cli_told},
    {"stage", "key=KEY", "cert key wait",
     "hand in a renewed certificate: the same key is served at once, a new key waits at the gate (for deploy "
     "hooks)",
     "kedge key stage g1 --cert fullchain.pem --key privkey.pem", cli_told},
    {"emergency", "key=KEY", "id yes wait",
     "a key is compromised: shows the fastest safe way out and what it costs, then goes it",
     "kedge key emergency g1", cli_confirmed},
    {"accept", "key=KEY", "yes",
     "the database is older than the world: take what is published and served as the truth", NULL,
     cli_confirmed},
};
static const struct cli_verb status[] = {
    {"", "", "", "what kedge-control knows", NULL},
};

#define VERBS(v) v, sizeof(v) / sizeof *(v)
const struct cli_noun cli_nouns[] = {
    {"tenant", "who owns domains and relays", VERBS(tenant), "tenant domains relays sender_domains created",
     NULL, NULL},
    {"domain", "domains whose mail is accepted here", VERBS(domain),
     "domain tenant mailbox_host tls recipients listed mx_host dnssec dane", NULL, NULL},
    {"recipient", "addresses in accepted domains", VERBS(recipient), "recipient domain", NULL, NULL},
    {"relay", "who may send through this machine", VERBS(relay), "relay kind tenant subject", NULL, NULL},
    {"route", "next hops instead of MX records", VERBS(route), "domain tenant to", NULL, NULL},
    {"mode", "what is demanded of remote domains", VERBS(mode), "domain tenant mode owner expires reason",
     NULL, NULL},
    {"key", "certificates and keys that are served", VERBS(key),
     "key group default names algorithm state not_after awaits", NULL, NULL},
    {"zone", "the signed MX zones", VERBS(zone),
     "zone primary edge_group open capacity hosts leaving ttl tlsa", NULL, NULL},
    {"rollout", "DANE for many domains, in waves", VERBS(rollout),
     "rollout state cause wave waves moved domains hold_s since", NULL, NULL},
    {"report", "TLS reports of those who send here", VERBS(report),
     "day organization domain policy successes failures results", NULL, NULL},
    {"edge-group", "addresses of edges", VERBS(edge_group), "edge_group addresses edges zones", NULL, NULL},
    {"edge", "machines that receive mail", VERBS(edge), "edge edge_group key_epoch confirmed bad_probes",
     NULL, NULL},
    {"status", "what kedge-control knows", VERBS(status), "", NULL, NULL},
    {"check", "explain a domain's mail security, with evidence", NULL, 0, NULL, cmd_check, ""},
    {"tlsa", "make TLSA records, judge a chain by them", NULL, 0, NULL, cmd_tlsa, "make verify"},
    {"queue", "messages that wait", NULL, 0, NULL, cmd_queue, "list show why retry hold release remove"},
    {"trace", "what happened to a message", NULL, 0, NULL, cmd_trace, ""},
    {"config", "check, show or start a configuration file", NULL, 0, NULL, cmd_config,
     "--check --sample --show --man"},
    {"run", "start all of this machine in the foreground", NULL, 0, NULL, cmd_run, ""},
    {"completion", "completion for a shell", NULL, 0, NULL, cmd_completion, "bash zsh fish"},
    {"version", "the version", NULL, 0, NULL, cmd_version, ""},
};
const size_t cli_noun_count = sizeof cli_nouns / sizeof *cli_nouns;

const struct cli_noun *cli_noun_find(struct str name)
{
    for (size_t i = 0; i < cli_noun_count; i++)
        if (str_equal(name, str_of(cli_nouns[i].name)))
            return &cli_nouns[i];
    return NULL;
}

/* How many words of argv the verb's name is; 0 when it is another one. */
static int verb_words(const struct cli_verb *verb, int argc, char *const *argv)
{
    struct str rest = str_of(verb->name), word;
    int n = 0;
    while ((word = str_word(&rest)).n) {
        if (n == argc || !str_equal(word, str_of(argv[n])))
            return 0;
        n++;
    }
    return n;
}

const struct cli_verb *cli_verb_find(const struct cli_noun *noun, int argc, char *const *argv, int *words)
{
    for (size_t i = 0; i < noun->verb_count; i++)
        if ((*words = verb_words(&noun->verbs[i], argc, argv)))
            return &noun->verbs[i];
    return NULL;
}

const struct cli_verb *cli_verb_only(const struct cli_noun *noun)
{
    return noun->verb_count && !*noun->verbs[0].name ? &noun->verbs[0] : NULL;
}

const struct cli_option *cli_option_find(struct str name)
{
    for (size_t i = 0; i < cli_option_count; i++)
        if (str_equal(name, str_of(cli_options[i].name)))
            return &cli_options[i];
    return NULL;
}

bool cli_verb_takes(const struct cli_verb *verb, const struct cli_option *option)
{
    struct str rest = str_of(verb->options), word;
    while ((word = str_word(&rest)).n)
        if (str_equal(word, str_of(option->name)))
            return true;
    return false;
}
