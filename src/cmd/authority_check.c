#include "cmd/authority_check.h"

#include <errno.h>
#include <libgen.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/knotc.h"
#include "net/addr.h"

enum { FREE_MS = 5000, PAUSE_MS = 100 };

static void check_lists(const struct conf *conf)
{
    if (!conf->authority_zone.n || !conf->authority_server.n || !conf->authority_edge_address.n)
        die(EXIT_CONFIG,
            "option authority_private: needs at least one authority_zone, one authority_server and one "
            "authority_edge_address");
    for (size_t i = 0; i < conf->authority_zone.n; i++)
        for (size_t j = 0; j < i; j++)
            if (str_equal_nocase(str_of(conf->authority_zone.v[i]), str_of(conf->authority_zone.v[j])))
                die(EXIT_CONFIG, "option authority_zone: %s is named twice", conf->authority_zone.v[i]);
}

/* A server's name inside of its own zone would need an address there, which nobody publishes. */
static void check_servers(const struct conf *conf)
{
    for (size_t z = 0; z < conf->authority_zone.n; z++) {
        struct str zone = str_of(conf->authority_zone.v[z]);
        for (size_t i = 0; i < conf->authority_server.n; i++) {
            struct str name = str_of(conf->authority_server.v[i]);
            if (str_equal_nocase(name, zone) || (name.n > zone.n && name.p[name.n - zone.n - 1] == '.' &&
                                                 str_equal_nocase(str_from(name, name.n - zone.n), zone)))
                die(EXIT_CONFIG, "option authority_server: %s is in the zone %s; name a server outside of it",
                    conf->authority_server.v[i], conf->authority_zone.v[z]);
        }
    }
}

static void check_programs(const struct conf *conf)
{
    struct buf knotc = {0};
    char *copy = str_dup(str_of(conf->authority_program));
    if (access(conf->authority_program, X_OK))
        die(EXIT_CONFIG,
            "option authority_program: %s cannot be run: %s; install Knot DNS (Debian: apt install knot), "
            "name "
            "its knotd here, or set authority_private = no",
            conf->authority_program, strerror(errno));
    buf_set(&knotc, "%s/knotc", dirname(copy));
    if (access(buf_cstr(&knotc), X_OK))
        die(EXIT_CONFIG,
            "option authority_program: %s cannot be run: %s; knotc must be beside knotd, as Knot DNS "
            "installs "
            "it",
            buf_cstr(&knotc), strerror(errno));
    free(copy);
    buf_release(&knotc);
}

/* 0, or errno. */
static int try_address(const struct addr *at, int type)
{
    int on = 1, failed = 0, fd = socket(at->ss.ss_family, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    /* as Knot does; a connection that has just ended is in nobody's way */
    if (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on))
        failed = errno;
    if (!failed && bind(fd, (const struct sockaddr *)&at->ss, at->n))
        failed = errno;
    file_close(&fd);
    return failed;
}

static const char *remedy(int failed)
{
    switch (failed) {
    case EADDRINUSE:
        return "another program listens there (ss -lnp shows which): stop it, or choose another address or "
               "port; "
               "the public servers ask this address, nobody else does";
    case EADDRNOTAVAIL:
        return "no interface of this machine has that address";
    case EACCES:
    case EPERM:
        return "ports below 1024 need root: start kedge run as root, or choose another port";
    default:
        return "choose another address";
    }
}

/* A Knot that is still ending, of a run before this one, gets some time. */
static void check_address(const struct conf *conf)
{
    struct addr at;
    deadline until = deadline_in(FREE_MS);
    ENSURE(addr_parse(str_of(conf->authority_address), 53, &at));
    for (;;) {
        int failed = try_address(&at, SOCK_DGRAM);
        if (!failed)
            failed = try_address(&at, SOCK_STREAM);
        if (!failed)
            return;
        if (failed != EADDRINUSE || deadline_is_over(until))
            die(EXIT_OS, "option authority_address: the private primary cannot listen on %s: %s: %s",
                conf->authority_address, strerror(failed), remedy(failed));
        usleep(PAUSE_MS * 1000);
    }
}

void authority_check(const struct conf *conf)
{
    check_lists(conf);
    check_servers(conf);
    check_programs(conf);
    if (*conf->authority_include && access(conf->authority_include, R_OK))
        die(EXIT_CONFIG, "option authority_include: %s cannot be read: %s", conf->authority_include,
            strerror(errno));
    check_address(conf);
}

/* The option that Knot's words are about. */
static const char *option_of(const struct conf *conf, struct str said)
{
    if (str_find(said, STR("ZSK lifetime")) != SIZE_MAX)
        return "authority_zsk_lifetime";
    if (str_find(said, STR("KSK lifetime")) != SIZE_MAX)
        return "authority_ksk_lifetime";
    if (*conf->authority_include && str_find(said, str_of(conf->authority_include)) != SIZE_MAX)
        return "authority_include";
    return "authority_private";
}

void authority_check_file(const struct conf *conf, const char *path)
{
    struct knotc k = {0};
    knotc_open(&k, conf);
    if (!KNOTC(&k, "-c", path, "conf-check")) {
        struct str said = str_trim(buf_str(&k.said));
        die(EXIT_CONFIG, "option %s: Knot refuses the configuration that was made of the options, %s: %.*s",
            option_of(conf, said), path, STR_ARG(said));
    }
    knotc_close(&k);
}
