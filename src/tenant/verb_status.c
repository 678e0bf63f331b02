#include "tenant/verbs_priv.h"

static json_t *count(struct call *c, const char *sql)
{
    int64_t n;
    return json_integer(db_get_int(db_query(c->db, sql), &n, NULL) ? 0 : n);
}

enum err verb_status(struct call *c)
{
    struct directory_view v = {0};
    enum err e = directory_begin(c->directory, &v, c->why);
    if (e)
        return e;
    uint64_t directory = directory_epoch(&v);
    directory_end(&v);
    json_t *o = c->result = json_object();
    json_object_set_new(o, "version", json_string(KEDGE_VERSION));
    json_object_set_new(o, "hostname", json_string(c->hostname));
    json_object_set_new(o, "epoch", count(c, "SELECT epoch FROM meta"));
    json_object_set_new(o, "directory_epoch", json_integer((json_int_t)directory));
    json_object_set_new(o, "tenants", count(c, "SELECT COUNT(*) FROM tenant"));
    json_object_set_new(o, "domains", count(c, "SELECT COUNT(*) FROM domain"));
    json_object_set_new(o, "recipients", count(c, "SELECT COUNT(*) FROM recipient"));
    json_object_set_new(o, "modes", count(c, "SELECT COUNT(*) FROM mode_rule"));
    json_object_set_new(o, "routes", count(c, "SELECT COUNT(*) FROM route"));
    json_object_set_new(o, "keys", count(c, "SELECT COUNT(*) FROM key_set"));
    return OK;
}
