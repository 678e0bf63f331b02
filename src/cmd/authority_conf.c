#include "cmd/authority_conf.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "cmd/authority_check.h"
#include "cmd/authority_secret.h"
#include "cmd/daemon.h"
#include "net/addr.h"

enum { SECRET_OCTETS = 32 };

static void file_name(const struct conf *conf, const char *name, struct buf *out)
{
    buf_set(out, "%s/authority/%s", conf->data_directory, name);
}

static void write_file(const struct conf *conf, const char *name, struct str content)
{
    struct buf path = {0}, why = {0};
    file_name(conf, name, &path);
    if (file_replace(buf_cstr(&path), content, 0600, &why))
        die(EXIT_OS, "option data_directory: %s", buf_cstr(&why));
    buf_release(&path);
    buf_release(&why);
}

static void make_key(const struct conf *conf)
{
    struct buf path = {0}, line = {0};
    uint8_t secret[SECRET_OCTETS];
    file_name(conf, "key", &path);
    if (access(buf_cstr(&path), F_OK)) {
        rand_bytes(secret, sizeof secret);
        buf_set(&line, AUTHORITY_KEY_ALGORITHM ":" AUTHORITY_KEY_NAME ":");
        base64_append(&line, secret, sizeof secret);
        buf_add(&line, STR("\n"));
        write_file(conf, "key", buf_str(&line));
    }
    buf_release(&path);
    buf_release(&line);
}

/* Whole seconds, which is what Knot has; never sooner. */
static long long seconds(int64_t ms)
{
    return (long long)((ms + 999) / 1000);
}

/* Keys roll by themselves, but a new KSK takes over only when "kedge run" says so (authority_ksk.h): the
 * submission has no parent that Knot would ask. While it waits, CDS and CDNSKEY name it, for parents that
 * follow them (RFC 7344).
 *
 * Signatures are made anew a week before they end: as long as secondaries keep a zone whose primary is gone
 * (the SOA's expire). */
static void add_policy(const struct conf *conf, struct buf *out)
{
    bool nsec3 = conf->authority_denial == CONF_DENIAL_NSEC3;
    buf_printf(out,
               "submission:\n  - id: parent\n"
               "policy:\n  - id: kedge\n    algorithm: ecdsap256sha256\n    ksk-submission: parent\n"
               "    cds-cdnskey-publish: always\n    zsk-lifetime: %lld\n    ksk-lifetime: %lld\n"
               "    propagation-delay: %lld\n    rrsig-lifetime: 14d\n    rrsig-refresh: 7d\n"
               "    nsec3: %s\n    nsec3-iterations: 0\n    nsec3-salt-length: 0\n",
               seconds(conf->authority_zsk_lifetime), seconds(conf->authority_ksk_lifetime),
               seconds(conf->authority_propagation_delay), nsec3 ? "on" : "off");
}

static void add_secondaries(const struct conf_list *list, struct buf *out)
{
    struct addr at;
    char ip[ADDR_TEXT];
    struct buf ids = {0}, ips = {0};
    if (list->n)
        buf_add(out, STR("remote:\n"));
    for (size_t i = 0; i < list->n; i++) {
        ENSURE(addr_parse(str_of(list->v[i]), 53, &at));
        addr_ip_format(&at, ip);
        buf_printf(out, "  - id: secondary%zu\n    address: %s@%u\n", i, ip, addr_port(&at));
        buf_printf(&ids, "%ssecondary%zu", i ? ", " : "", i);
        buf_printf(&ips, "%s%s", i ? ", " : "", ip);
    }
    buf_add(out, STR("acl:\n"
                     "  - id: kedge\n    key: " AUTHORITY_KEY_NAME "\n    action: [update, transfer]\n"));
    if (list->n)
        buf_printf(out, "  - id: secondaries\n    address: [%s]\n    action: transfer\n", buf_cstr(&ips));
    buf_add(out, STR("template:\n  - id: default\n    acl: [kedge"));
    if (list->n)
        buf_printf(out, ", secondaries]\n    notify: [%s]\n", buf_cstr(&ids));
    else
        buf_add(out, STR("]\n"));
    buf_release(&ids);
    buf_release(&ips);
}

/* Zones fed by updates: the journal holds everything, there is no zone file to contradict it. */
static const char ZONES[] = "    dnssec-signing: on\n"
                            "    dnssec-policy: kedge\n"
                            "    journal-content: all\n"
                            "    journal-max-usage: 1G\n"
                            "    zonefile-load: none\n"
                            "    zonefile-sync: -1\n";

static void authority_text(const struct conf *conf, struct str secret, struct buf *out)
{
    struct addr at;
    char ip[ADDR_TEXT];
    ENSURE(addr_parse(str_of(conf->authority_address), 53, &at));
    addr_ip_format(&at, ip);
    buf_printf(out,
               "# Written by \"kedge run\" at each start; changes here are lost.\n"
               "server:\n    rundir: \"%s/authority\"\n    listen: %s@%u\n",
               conf->data_directory, ip, addr_port(&at));
    buf_printf(out,
               "log:\n  - target: stderr\n    any: notice\n"
               "database:\n    storage: \"%s/authority\"\n"
               "key:\n  - id: " AUTHORITY_KEY_NAME "\n    algorithm: " AUTHORITY_KEY_ALGORITHM
               "\n    secret: %.*s\n",
               conf->data_directory, STR_ARG(secret));
    add_policy(conf, out);
    add_secondaries(&conf->authority_secondary, out);
    buf_printf(out, "    storage: \"%s/authority\"\n%s", conf->data_directory, ZONES);
    buf_add(out, STR("zone:\n"));
    for (size_t i = 0; i < conf->authority_zone.n; i++)
        buf_printf(out, "  - domain: \"%s\"\n", conf->authority_zone.v[i]);
    if (*conf->authority_include)
        buf_printf(out, "include: \"%s\"\n", conf->authority_include);
}

void authority_conf_write(const struct conf *conf)
{
    struct buf path = {0}, text = {0}, secret = {0}, why = {0};
    authority_check(conf);
    buf_set(&path, "%s/authority", conf->data_directory);
    daemon_make_folder("data_directory", buf_cstr(&path), 0700, NULL);
    make_key(conf);
    if (authority_secret(conf, &secret, &why))
        die(EXIT_CONFIG, "option authority_private: %s", buf_cstr(&why));
    authority_text(conf, buf_str(&secret), &text);
    write_file(conf, "knot.conf", buf_str(&text));
    file_name(conf, "knot.conf", &path);
    authority_check_file(conf, buf_cstr(&path));
    buf_release(&path);
    buf_release(&text);
    buf_release(&secret);
    buf_release(&why);
}

char *authority_conf_path(const struct conf *conf)
{
    struct buf path = {0};
    file_name(conf, "knot.conf", &path);
    return path.p;
}
