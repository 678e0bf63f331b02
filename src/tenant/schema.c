#include "tenant/schema_priv.h"

/* Tenants, domains and rules carry ids that are never used twice, so that nothing old can come to mean
 * something new. tenant_id 0 in rules: every tenant. */
const struct db_migration tenant_schema[] = {
    {1,
     "CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), source TEXT NOT NULL, epoch BIGINT NOT "
     "NULL,"
     " key_epoch BIGINT NOT NULL, last_id BIGINT NOT NULL);"

     "CREATE TABLE tenant (id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_ms BIGINT NOT NULL);"

     "CREATE TABLE sender (tenant_id BIGINT NOT NULL REFERENCES tenant (id), domain TEXT NOT NULL,"
     " PRIMARY KEY (tenant_id, domain));"

     "CREATE TABLE domain (name TEXT PRIMARY KEY, tenant_id BIGINT NOT NULL REFERENCES tenant (id),"
     " mx_host TEXT NOT NULL, protocol TEXT NOT NULL, host TEXT NOT NULL, port INTEGER NOT NULL, tls TEXT "
     "NOT NULL,"
     " recipients TEXT NOT NULL, created_ms BIGINT NOT NULL);"
     "CREATE INDEX domain_by_tenant ON domain (tenant_id, name);"

     "CREATE TABLE recipient (domain TEXT NOT NULL REFERENCES domain (name) ON DELETE CASCADE,"
     " local_part TEXT NOT NULL, created_ms BIGINT NOT NULL, PRIMARY KEY (domain, local_part));"

     "CREATE TABLE relay_network (network TEXT PRIMARY KEY, tenant_id BIGINT NOT NULL REFERENCES tenant (id),"
     " created_ms BIGINT NOT NULL);"

     "CREATE TABLE relay_certificate (sha256 TEXT PRIMARY KEY, tenant_id BIGINT NOT NULL REFERENCES tenant "
     "(id),"
     " subject TEXT NOT NULL, created_ms BIGINT NOT NULL);"

     "CREATE TABLE mode_rule (tenant_id BIGINT NOT NULL, domain TEXT NOT NULL, mode TEXT NOT NULL,"
     " owner TEXT NOT NULL, reason TEXT NOT NULL, expires_ms BIGINT NOT NULL, created_ms BIGINT NOT NULL,"
     " PRIMARY KEY (tenant_id, domain));"

     "CREATE TABLE route (tenant_id BIGINT NOT NULL, domain TEXT NOT NULL, host TEXT NOT NULL, port INTEGER "
     "NOT NULL,"
     " created_ms BIGINT NOT NULL, PRIMARY KEY (tenant_id, domain));"

     "CREATE TABLE key_set (id BIGINT PRIMARY KEY, is_default INTEGER NOT NULL, created_ms BIGINT NOT NULL);"
     "CREATE TABLE key_pair (pair_id BIGINT PRIMARY KEY, key_set_id BIGINT NOT NULL REFERENCES key_set (id) "
     "ON DELETE"
     " CASCADE, chain BLOB NOT NULL, private_key BLOB NOT NULL);"
     "CREATE TABLE key_name (name TEXT PRIMARY KEY, key_set_id BIGINT NOT NULL REFERENCES key_set (id) ON "
     "DELETE"
     " CASCADE);"

     "CREATE TABLE change (epoch BIGINT NOT NULL, kind TEXT NOT NULL, key1 TEXT NOT NULL, key2 TEXT NOT "
     "NULL);"
     "CREATE INDEX change_by_epoch ON change (epoch)"},

    /* Hosting: edges and their groups, MX zones, MX hosts, managed key sets and their keys at the gate. */
    {2,
     "CREATE TABLE edge_group (name TEXT PRIMARY KEY, created_ms BIGINT NOT NULL);"
     "CREATE TABLE edge_address (edge_group TEXT NOT NULL REFERENCES edge_group (name) ON DELETE CASCADE,"
     " address TEXT NOT NULL, PRIMARY KEY (edge_group, address));"

     /* What an edge last confirmed: the keystore's epoch, and the pairs that it serves. */
     "CREATE TABLE edge (name TEXT PRIMARY KEY, edge_group TEXT NOT NULL, key_epoch BIGINT NOT NULL,"
     " confirmed_ms BIGINT NOT NULL, created_ms BIGINT NOT NULL);"
     "CREATE TABLE edge_serves (edge TEXT NOT NULL REFERENCES edge (name) ON DELETE CASCADE,"
     " key_set_id BIGINT NOT NULL, pair_id BIGINT NOT NULL, algorithm TEXT NOT NULL,"
     " spki_sha256 BLOB NOT NULL, PRIMARY KEY (edge, key_set_id, pair_id));"
     "CREATE TABLE edge_probe (edge TEXT NOT NULL REFERENCES edge (name) ON DELETE CASCADE, name TEXT NOT "
     "NULL,"
     " address TEXT NOT NULL, algorithm TEXT NOT NULL, at_ms BIGINT NOT NULL, good INTEGER NOT NULL,"
     " reason TEXT NOT NULL, PRIMARY KEY (edge, name, address, algorithm));"

     /* hosts: MX hosts that have records, those that leave included. */
     "CREATE TABLE zone (id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, primary_address TEXT NOT NULL,"
     " tsig_name TEXT NOT NULL, tsig_algorithm TEXT NOT NULL, tsig_secret BLOB NOT NULL,"
     " edge_group TEXT NOT NULL REFERENCES edge_group (name), capacity BIGINT NOT NULL,"
     " tlsa_ttl BIGINT NOT NULL, address_ttl BIGINT NOT NULL, tlsa_per_host INTEGER NOT NULL,"
     " is_open INTEGER NOT NULL, hosts BIGINT NOT NULL, created_ms BIGINT NOT NULL);"

     /* A label stays its tenant's for ever: rows of removed domains stay, as quarantined. The tenant may be
      * gone; its id is not used again. key_set_id 0: none yet, the default is served. */
     "CREATE TABLE mx_host (zone_id BIGINT NOT NULL REFERENCES zone (id), label TEXT NOT NULL,"
     " domain TEXT NOT NULL, tenant_id BIGINT NOT NULL, key_set_id BIGINT NOT NULL, dane INTEGER NOT NULL,"
     " state TEXT NOT NULL, until_ms BIGINT NOT NULL, created_ms BIGINT NOT NULL,"
     " PRIMARY KEY (zone_id, label));"
     "CREATE INDEX mx_host_by_domain ON mx_host (domain, state);"
     "CREATE INDEX mx_host_that_leaves ON mx_host (until_ms) WHERE state = 'leaving';"
     "CREATE INDEX mx_host_by_key_set ON mx_host (key_set_id);"

     "ALTER TABLE domain ADD COLUMN dnssec INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE domain ADD COLUMN dane INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE domain ADD COLUMN wave TEXT NOT NULL DEFAULT '';"

     /* grp: the group's label of a managed key set, '' for one that was imported by name. */
     "ALTER TABLE key_set ADD COLUMN grp TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE key_set ADD COLUMN rsa INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE key_set ADD COLUMN ta INTEGER NOT NULL DEFAULT 0;"
     /* keeps_next: make a next key when there is none; memory: what the gate remembers between steps. */
     "ALTER TABLE key_set ADD COLUMN keeps_next INTEGER NOT NULL DEFAULT 1;"
     "ALTER TABLE key_set ADD COLUMN memory BLOB;"
     "CREATE UNIQUE INDEX key_set_by_grp ON key_set (grp) WHERE grp <> '';"
     "CREATE TABLE gate_key (id BIGINT PRIMARY KEY,"
     " key_set_id BIGINT NOT NULL REFERENCES key_set (id) ON DELETE CASCADE, pair_id BIGINT NOT NULL,"
     " algorithm TEXT NOT NULL, spki_sha256 BLOB NOT NULL, state TEXT NOT NULL, since_ms BIGINT NOT NULL,"
     /* ta_sha256: of the issuing CA, empty without one; lost: a record whose key is not known, else empty. */
     " ta_sha256 BLOB NOT NULL, lost BLOB NOT NULL, proven_ms BIGINT NOT NULL, roll TEXT NOT NULL,"
     " roll_ms BIGINT NOT NULL, compromised INTEGER NOT NULL, forgotten INTEGER NOT NULL);"
     "CREATE INDEX gate_key_by_set ON gate_key (key_set_id, state);"
     "CREATE TABLE key_event (key_set_id BIGINT NOT NULL, at_ms BIGINT NOT NULL, gate_key_id BIGINT NOT NULL,"
     " event TEXT NOT NULL, detail TEXT NOT NULL);"
     "CREATE INDEX key_event_by_set ON key_event (key_set_id, at_ms);"

     /* What a look at an accepted domain leaves behind: when its protection was last whole, and since when it
      * is lost (0: it is not); what its guided switch must remember, as JSON. */
     "CREATE TABLE protection (domain TEXT PRIMARY KEY REFERENCES domain (name) ON DELETE CASCADE,"
     " protected_ms BIGINT NOT NULL, lost_ms BIGINT NOT NULL);"
     "CREATE TABLE switch_memory (domain TEXT PRIMARY KEY REFERENCES domain (name) ON DELETE CASCADE,"
     " memory TEXT NOT NULL)"},

    /* Rollouts: domains move in waves. before_*: of the same domains, in the time before the wave began. */
    {3, "CREATE TABLE rollout (id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, tenant_id BIGINT NOT NULL,"
        " tag TEXT NOT NULL, state TEXT NOT NULL, then_state TEXT NOT NULL, cause TEXT NOT NULL,"
        " begun BIGINT NOT NULL, undo_from BIGINT NOT NULL, hold_ms BIGINT NOT NULL,"
        " baseline_ms BIGINT NOT NULL, tolerance BIGINT NOT NULL, least BIGINT NOT NULL,"
        " changed_ms BIGINT NOT NULL, created_ms BIGINT NOT NULL);"
        "CREATE TABLE rollout_wave (rollout_id BIGINT NOT NULL REFERENCES rollout (id) ON DELETE CASCADE,"
        " wave BIGINT NOT NULL, domains BIGINT NOT NULL, begun_ms BIGINT NOT NULL, ready INTEGER NOT NULL,"
        " held_ms BIGINT NOT NULL, good BIGINT NOT NULL, bad BIGINT NOT NULL, before_good BIGINT NOT NULL,"
        " before_bad BIGINT NOT NULL, bad_probes BIGINT NOT NULL, PRIMARY KEY (rollout_id, wave));"
        /* state: waiting, on, failed. The domain may be gone meanwhile. */
        "CREATE TABLE rollout_domain (rollout_id BIGINT NOT NULL REFERENCES rollout (id) ON DELETE CASCADE,"
        " wave BIGINT NOT NULL, domain TEXT NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL,"
        " PRIMARY KEY (rollout_id, domain));"
        "CREATE INDEX rollout_domain_by_wave ON rollout_domain (rollout_id, wave, state)"},

    /* TLS reports (RFC 8460) that were taken, and what a wave's domains read in them. n: of the policy in its
     * report. first_ms: when the wave began for the first time; what counts as before ends there. */
    {4, "CREATE TABLE tlsrpt (id BIGINT PRIMARY KEY, organization TEXT NOT NULL, report_id TEXT NOT NULL,"
        " begin_ms BIGINT NOT NULL, end_ms BIGINT NOT NULL, taken_ms BIGINT NOT NULL,"
        " UNIQUE (organization, report_id));"
        "CREATE INDEX tlsrpt_by_end ON tlsrpt (end_ms);"
        "CREATE TABLE tlsrpt_policy (tlsrpt_id BIGINT NOT NULL REFERENCES tlsrpt (id) ON DELETE CASCADE,"
        " n BIGINT NOT NULL, domain TEXT NOT NULL, type TEXT NOT NULL, successes BIGINT NOT NULL,"
        " failures BIGINT NOT NULL, PRIMARY KEY (tlsrpt_id, n));"
        "CREATE INDEX tlsrpt_policy_by_domain ON tlsrpt_policy (domain, tlsrpt_id);"
        "CREATE TABLE tlsrpt_failure (tlsrpt_id BIGINT NOT NULL REFERENCES tlsrpt (id) ON DELETE CASCADE,"
        " n BIGINT NOT NULL, result TEXT NOT NULL, mx_host TEXT NOT NULL, sessions BIGINT NOT NULL,"
        " PRIMARY KEY (tlsrpt_id, n, result, mx_host));"
        "CREATE INDEX tlsrpt_failure_by_mx_host ON tlsrpt_failure (mx_host);"
        "CREATE INDEX domain_by_mx_host ON domain (mx_host);"
        "ALTER TABLE rollout_wave ADD COLUMN first_ms BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE rollout_wave ADD COLUMN report_good BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE rollout_wave ADD COLUMN report_bad BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE rollout_wave ADD COLUMN report_before_good BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE rollout_wave ADD COLUMN report_before_bad BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE rollout_wave ADD COLUMN report_organization TEXT NOT NULL DEFAULT '';"
        "ALTER TABLE rollout_wave ADD COLUMN report_result TEXT NOT NULL DEFAULT '';"
        "ALTER TABLE rollout_wave ADD COLUMN report_sessions BIGINT NOT NULL DEFAULT 0;"
        "UPDATE rollout_wave SET first_ms = begun_ms"},
    /* TLSA RRsets that servers or caches may have: noted before they are first sent, and kept until two TTLs
     * after no server has them. per_host: at the hosts, not at the group's name. */
    {5,
     "CREATE TABLE tlsa_rrset (zone_id BIGINT NOT NULL REFERENCES zone (id) ON DELETE CASCADE,"
     " key_set_id BIGINT NOT NULL REFERENCES key_set (id) ON DELETE CASCADE, per_host INTEGER NOT NULL,"
     " PRIMARY KEY (zone_id, key_set_id, per_host));"
     "INSERT INTO tlsa_rrset (zone_id, key_set_id, per_host)"
     " SELECT DISTINCT h.zone_id, k.id, z.tlsa_per_host FROM mx_host h JOIN zone z ON z.id = h.zone_id"
     " JOIN key_set k ON k.id = h.key_set_id WHERE h.dane = 1 AND h.state <> 'quarantined' AND k.grp <> ''"},
    /* DS records that a zone wants at its parent and that are not there: since when. */
    {6, "CREATE TABLE zone_ds (zone_id BIGINT NOT NULL REFERENCES zone (id) ON DELETE CASCADE,"
        " ds TEXT NOT NULL, since_ms BIGINT NOT NULL, PRIMARY KEY (zone_id, ds))"},

    /* Epochs alone cannot tell a restored database from the one that went on: each has a mark by chance. */
    {7, "ALTER TABLE meta ADD COLUMN mark TEXT NOT NULL DEFAULT '';"
        "ALTER TABLE meta ADD COLUMN key_mark TEXT NOT NULL DEFAULT '';"
        "ALTER TABLE change ADD COLUMN mark TEXT NOT NULL DEFAULT ''"},
    /* Counts what was done to the zone's MX hosts, so that nobody has to read them to see that nothing was.
     */
    {8, "ALTER TABLE zone ADD COLUMN hosts_version BIGINT NOT NULL DEFAULT 0"},
    /* Of events of one moment, which came first. */
    {9, "ALTER TABLE key_event ADD COLUMN number BIGINT NOT NULL DEFAULT 0"},
    /* Which key sets a zone uses is asked again and again: never by reading its hosts. */
    {10, "DROP INDEX mx_host_by_key_set;"
         "CREATE INDEX mx_host_by_use ON mx_host (zone_id, key_set_id, dane, state, label)"},
    /* What an edge found, since when, and when it found the same the time before (0: it did not). */
    {11, "ALTER TABLE edge_probe ADD COLUMN kind TEXT NOT NULL DEFAULT '';"
         "ALTER TABLE edge_probe ADD COLUMN since_ms BIGINT NOT NULL DEFAULT 0;"
         "ALTER TABLE edge_probe ADD COLUMN before_ms BIGINT NOT NULL DEFAULT 0"},
};
const size_t tenant_schema_count = sizeof tenant_schema / sizeof *tenant_schema;
