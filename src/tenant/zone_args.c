#include "tenant/zone_args.h"

#include "conf/conf.h"
#include "dns/name.h"
#include "dns/tsig.h"
#include "net/addr.h"

enum { DNS_PORT = 53, CAPACITY_MAX = 1000000, TTL_MAX = 86400, SECRET_MIN = 16 };

enum err zone_tsig_parse(struct arena *a, struct str text, struct zone_args *out, struct buf *why)
{
    struct str secret = text;
    struct str first = str_cut(&secret, ':'), second = str_cut(&secret, ':'), name = first;
    enum tsig_algorithm algorithm;
    struct buf octets = {0};
    bool good = tsig_algorithm_parse(second, &algorithm);
    if (!good && tsig_algorithm_parse(first, &algorithm)) {
        name = second;
        good = true;
    }
    good = good && !dns_name_normalise(a, name, &out->tsig_name) && out->tsig_name.n > 0;
    if (!good)
        buf_set(why,
                "a TSIG key is NAME:ALGORITHM:SECRET, with hmac-sha256, hmac-sha384 or hmac-sha512 and the "
                "secret in base64");
    if (good && (!base64_decode(&octets, str_trim(secret)) || octets.n < SECRET_MIN)) {
        buf_set(why, "the secret of TSIG key '%.*s' is not base64 of at least %d octets", STR_ARG(name),
                SECRET_MIN);
        good = false;
    }
    if (good) {
        out->tsig_algorithm = str_of(tsig_algorithm_name(algorithm));
        out->tsig_secret = arena_str(a, buf_str(&octets));
    }
    buf_release(&octets);
    return good ? OK : ERR_USAGE;
}

/* The first line of a file that is neither empty nor a comment. */
static struct str first_line(struct str text)
{
    while (text.n) {
        struct str line = str_trim(str_cut(&text, '\n'));
        if (line.n && line.p[0] != '#')
            return line;
    }
    return STR_NONE;
}

static enum err read_tsig(struct call *c, struct zone_args *out)
{
    if (arg_has(c, "tsig") && arg_has(c, "tsig_file")) {
        buf_set(c->why, "say --tsig or --tsig-file, not both");
        return ERR_USAGE;
    }
    struct str text = arg_has(c, "tsig_file") ? first_line(arg_text(c, "tsig_file")) : arg_text(c, "tsig");
    if (!arg_has(c, "tsig") && !arg_has(c, "tsig_file"))
        return OK;
    if (!str_equal(text, STR("none")))
        return zone_tsig_parse(c->a, text, out, c->why);
    out->tsig_name = out->tsig_algorithm = out->tsig_secret = STR_NONE;
    return OK;
}

static enum err read_primary(struct call *c, struct zone_args *out)
{
    struct addr address;
    char text[ADDR_TEXT];
    if (!arg_has(c, "primary"))
        return OK;
    if (!addr_parse(arg_text(c, "primary"), DNS_PORT, &address) || addr_port(&address) == 0) {
        buf_set(c->why, "primary '%.*s' is not an address, or ADDRESS:PORT", STR_ARG(arg_text(c, "primary")));
        return ERR_USAGE;
    }
    out->primary = arena_str(c->a, str_of(addr_format(&address, text)));
    return OK;
}

static enum err read_ttl(struct call *c, const char *name, int64_t *out)
{
    struct str text = arg_text(c, name);
    uint32_t seconds;
    int64_t ms;
    if (!arg_has(c, name))
        return OK;
    if (str_to_u32(text, &seconds))
        *out = seconds;
    else if (conf_duration(text, &ms))
        *out = ms / 1000;
    else
        *out = 0;
    if (*out >= 1 && *out <= TTL_MAX)
        return OK;
    buf_set(c->why, "'%.*s' is not a TTL: 1 to %d seconds, or a time like 30min", STR_ARG(text), TTL_MAX);
    return ERR_USAGE;
}

/* One of two words into a truth. */
static enum err read_choice(struct call *c, const char *name, const char *yes, const char *no, bool *out)
{
    struct str text = arg_text(c, name);
    if (!arg_has(c, name))
        return OK;
    *out = str_equal(text, str_of(yes));
    if (*out || str_equal(text, str_of(no)))
        return OK;
    buf_set(c->why, "%s '%.*s' is not %s or %s", name, STR_ARG(text), yes, no);
    return ERR_USAGE;
}

static enum err read_capacity(struct call *c, struct zone_args *out)
{
    uint32_t n;
    if (!arg_has(c, "capacity"))
        return OK;
    if (!str_to_u32(arg_text(c, "capacity"), &n) || n == 0 || n > CAPACITY_MAX) {
        buf_set(c->why, "capacity '%.*s' is not a number from 1 to %d", STR_ARG(arg_text(c, "capacity")),
                CAPACITY_MAX);
        return ERR_USAGE;
    }
    out->capacity = n;
    return OK;
}

/* A group with addresses: the one that is named, or the only one there is. */
static enum err read_group(struct call *c, struct zone_args *out)
{
    int64_t groups = 0, addresses = 0;
    if (!arg_has(c, "edge_group") && out->edge_group.n)
        return OK;
    struct db_query *q =
        db_query(c->db, "SELECT name, (SELECT COUNT(*) FROM edge_address a WHERE a.edge_group = "
                        "g.name) FROM edge_group g WHERE name = $1 OR $1 = '' ORDER BY name");
    db_bind_text(q, arg_text(c, "edge_group"));
    for (; db_next(q); groups++) {
        out->edge_group = arena_str(c->a, db_text(q, 0));
        addresses = db_int(q, 1);
    }
    enum err e = db_end(q, c->why);
    if (e || (groups == 1 && addresses > 0))
        return e;
    if (groups > 1)
        buf_set(c->why, "--edge-group is missing: there are several (\"kedge edge-group list\")");
    else if (groups == 1)
        buf_set(c->why, "edge group '%.*s' has no address yet; first: kedge edge-group set %.*s --address IP",
                STR_ARG(out->edge_group), STR_ARG(out->edge_group));
    else
        buf_set(c->why, "there is no edge group%s%.*s%s; first: kedge edge-group add NAME --address IP",
                arg_has(c, "edge_group") ? " '" : "", STR_ARG(arg_text(c, "edge_group")),
                arg_has(c, "edge_group") ? "'" : "");
    return groups ? ERR_USAGE : ERR_NOT_FOUND;
}

enum err zone_args_read(struct call *c, struct zone_args *out)
{
    enum err e = read_primary(c, out);
    if (!e)
        e = read_tsig(c, out);
    if (!e)
        e = read_group(c, out);
    if (!e)
        e = read_capacity(c, out);
    if (!e)
        e = read_ttl(c, "ttl", &out->tlsa_ttl);
    if (!e)
        e = read_ttl(c, "address_ttl", &out->address_ttl);
    if (!e)
        e = read_choice(c, "tlsa", "host", "alias", &out->tlsa_per_host);
    return e ? e : read_choice(c, "open", "yes", "no", &out->is_open);
}
