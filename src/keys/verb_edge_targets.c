/* Which of its own names an edge should dial: of each MX zone that its group serves, and of each key set, one
 * MX host whose TLSA record senders rely on. */
#include "keys/verbs_priv.h"

enum err verb_edge_targets(struct call *c)
{
    struct str text, edge;
    enum err e = arg_need(c, "edge", &text);
    if (!e)
        e = name_normal(c, text, &edge);
    if (e)
        return e;
    json_t *names = json_array();
    struct db_query *q = db_query(
        c->db, "SELECT u.label || '.' || u.name FROM (SELECT z.name, (SELECT MIN(h.label) FROM mx_host h"
               " WHERE h.zone_id = z.id AND h.key_set_id = k.id AND h.dane = 1 AND h.state = 'live') AS label"
               " FROM edge e JOIN zone z ON z.edge_group = e.edge_group CROSS JOIN key_set k"
               " WHERE e.name = $1 AND k.grp <> '') u WHERE u.label IS NOT NULL ORDER BY 1");
    db_bind_text(q, edge);
    while (db_next(q))
        (void)json_array_append_new(names, json_of(db_text(q, 0)));
    c->result = json_pack("{s:o}", "names", names);
    return db_end(q, c->why);
}
