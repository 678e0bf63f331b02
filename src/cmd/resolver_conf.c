#include "cmd/resolver_conf.h"

#include <unistd.h>

#include "base/base.h"
#include "net/addr.h"

/* The defaults of Unbound are for an office; these are for tens of thousands of destinations at once. */
static const char SIZES[] = "    outgoing-range: 4096\n"
                            "    num-queries-per-thread: 4096\n"
                            "    msg-cache-size: 256m\n"
                            "    rrset-cache-size: 512m\n"
                            "    key-cache-size: 64m\n"
                            "    neg-cache-size: 16m\n"
                            "    infra-cache-numhosts: 100000\n"
                            "    incoming-num-tcp: 256\n"
                            "    outgoing-num-tcp: 256\n"
                            "    so-reuseport: yes\n"
                            "    prefetch: yes\n"
                            "    prefetch-key: yes\n"
                            "    serve-expired: no\n";

static void resolver_text(const struct conf *conf, const struct addr *at, struct buf *out)
{
    char ip[ADDR_TEXT];
    long threads = sysconf(_SC_NPROCESSORS_ONLN);
    addr_ip_format(at, ip);
    buf_printf(out,
               "# Written by \"kedge run\" at each start; changes here are lost.\n"
               "server:\n"
               "    interface: %s@%u\n"
               "    port: %u\n"
               "    access-control: 0.0.0.0/0 refuse\n"
               "    access-control: ::/0 refuse\n"
               "    access-control: 127.0.0.0/8 allow\n"
               "    access-control: ::1 allow\n"
               "    do-daemonize: no\n"
               "    use-syslog: no\n"
               "    logfile: \"\"\n"
               "    pidfile: \"\"\n"
               "    chroot: \"\"\n"
               "    directory: \"%s\"\n"
               "    username: \"\"\n"
               "    num-threads: %ld\n"
               "    trust-anchor-file: \"%s\"\n"
               "    module-config: \"validator iterator\"\n"
               "    val-permissive-mode: no\n"
               "    ede: yes\n"
               "    val-log-level: 1\n"
               "    qname-minimisation: yes\n"
               "    harden-glue: yes\n"
               "    harden-dnssec-stripped: yes\n"
               "    harden-below-nxdomain: yes\n"
               "    hide-identity: yes\n"
               "    hide-version: yes\n",
               ip, addr_port(at), addr_port(at), conf->run_directory, threads > 0 ? threads : 1,
               conf->resolver_trust_anchor);
    buf_add(out, str_of(SIZES));
    buf_add(out, STR("remote-control:\n    control-enable: no\n"));
    if (*conf->resolver_include)
        buf_printf(out, "include: \"%s\"\n", conf->resolver_include);
}

char *resolver_conf_path(const struct conf *conf)
{
    struct buf path = {0};
    buf_set(&path, "%s/resolver.conf", conf->run_directory);
    return path.p;
}

void resolver_conf_write(const struct conf *conf)
{
    struct addr at;
    struct buf text = {0}, why = {0};
    if (!addr_parse(str_of(conf->resolver), 53, &at) || !addr_is_loopback(&at))
        die(EXIT_CONFIG,
            "option resolver_private: resolver = %s must be an address on loopback, where the private "
            "resolver will answer",
            conf->resolver);
    if (access(conf->resolver_program, X_OK))
        die(EXIT_CONFIG,
            "option resolver_program: %s cannot be run; install Unbound, or set resolver_private = no",
            conf->resolver_program);
    if (access(conf->resolver_trust_anchor, R_OK))
        die(EXIT_CONFIG,
            "option resolver_trust_anchor: %s cannot be read; install the package dns-root-data, or name the "
            "file",
            conf->resolver_trust_anchor);
    if (*conf->resolver_include && access(conf->resolver_include, R_OK))
        die(EXIT_CONFIG, "option resolver_include: %s cannot be read", conf->resolver_include);
    resolver_text(conf, &at, &text);
    char *path = resolver_conf_path(conf);
    if (file_replace(path, buf_str(&text), 0644, &why))
        die(EXIT_OS, "option run_directory: %s", buf_cstr(&why));
    free(path);
    buf_release(&text);
    buf_release(&why);
}
