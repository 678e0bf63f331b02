/* The rollover gate as a model: every order of events is tried, where test/unit/keys tries chance. Run it with test/model/run.
 *
 * What stands for what
 *   time         TTL ticks are one TTL, WAIT ticks two. Clock may tick at any moment: whoever is late is as late as you like.
 *   an RRset     a byte: bit r is set when record r is there, 0 is a denial. Records: 3 1 1 of a key, 2 1 1 of a CA.
 *   caches       all that there could be: lacking[r] is how long ago a server last showed an RRset that fails whoever needs
 *                record r. A cache holds what was shown in the last TTL. This loses nothing: caches do not touch each other.
 *   servers      0 is the primary, the others copy it when they like. In evidence one, or all, may be silent or invalid; clients
 *                reach those all the same, which is the worse case.
 *   edges        load what the keystore says when they like, or never; say what they serve when they like.
 *   set, backup  struct gate_set in memory (and saved: each step saves), and yesterday's copy of it.
 *   keys         numbers; a new key is a new number, also after a restore. GENERATED .. GONE as in gate.h; UNKNOWN: not in the set.
 *
 * Which C is which
 *   look         gate_step: gate_read, follow, gate_judge, start_fresh, publish, finish, switch_algorithm, forget, remember, conclude
 *   Publisher    zone/keep_publish.c: one job at a time, made from a step, landing any time later
 *   Operator     gate_stage, gate_ask_roll, gate_emergency, gate_accept, key set --ta, key set --rsa
 *   Faults       what goes wrong around all of these
 *
 * Faults of the field and where they are
 *   renewal with a new key: stage(ASKED) · next TLSA too late: Publisher lands late · only some servers right, a secondary lags or
 *   is down: Secondary, `fault` · CA switched: TA · RSA right, ECDSA stale: ALGORITHMS · garbage record: FOREIGN · NXDOMAIN: DENIAL ·
 *   expired RRSIG, does not validate: EXPIRING, `fault` · an edge that missed the reload: Edge · two operators: Operator may ask at
 *   any time, also FORCED with EMERGENCY · clock wrong: JUMPED · yesterday's backup: RESTORE · a server from a backup: FALLBACK
 *
 * Where it is stricter than the C: a retiring key is UNTOLD until a step has told the keystore something else; confirmations count
 * from then on. gate_accept retires without telling; RETIRES_UNTOLD is the rule without this, and it breaks G2.
 *
 * Left out: sizes of RRsets, TTLs that change, several key sets and zones, reboots (they only take proof away), servers and edges
 * that come and go, chains without a CA, keys whose pair is lost in another way than by a restore. A look is one instant. */

#ifndef TTL
#define TTL 1
#endif
#ifndef SERVERS
#define SERVERS 3
#endif
#ifndef EDGES
#define EDGES 2
#endif
#ifndef ALGORITHMS
#define ALGORITHMS 1 /* key k is of algorithm k % ALGORITHMS */
#endif
#ifndef OURS
#define OURS 2 /* keys that can be made */
#endif
#ifdef FOREIGN
#define KEYS (OURS + 1) /* the last one is somebody else's: nobody serves it */
#else
#define KEYS OURS
#endif
#define WAIT (2 * TTL)
#define GAP TTL          /* longest pause between sightings that belong together */
#define SILENCE 1        /* oldest confirmation that counts */
#define SETTLED (WAIT + 1)
#ifdef RETIRES_UNTOLD
#define UNTOLD (-1)
#else
#define UNTOLD (-9) /* proof of a retiring key that the keystore may still have: confirmations do not count yet */
#endif
#define SLOTS (EDGES * ALGORITHMS)
#define NONE 255

#ifdef TA /* chains: 0 = key 0 under CA 0; 1 = the same key under CA 1 (the CA switched); 2 = key 1 under CA 1 */
#define RECORDS 4
#define record_of(k) (k == 2)
#define ca_of(k) (2 + (k > 0))
#define TA_BITS 12
#else
#define RECORDS KEYS
#define record_of(k) (k)
#define ca_of(k) 0
#define TA_BITS 0
#endif

#define has(v, r) (((v) >> (r)) & 1)
/* Does a cache with this RRset refuse whoever needs record r? Each combination must match alone (G5). */
#define refuses(v, r) (((1 << (r)) & TA_BITS) -> ((v) & TA_BITS && !has(v, r)) : ((v) && !has(v, r)))
/* gate_server_shows */
#define shows(v, k) (has(v, record_of(k)) && (!((v) & TA_BITS) || has(v, ca_of(k))))

/* States of a key, wishes. */
#define UNKNOWN 0
#define GENERATED 1
#define PUBLISHED 2
#define READY 3
#define ACTIVE 4
#define RETIRING 5
#define GONE 6
#define ASKED 1
#define FORCED 2

typedef Set {
  byte state[KEYS];
  short proof[KEYS]; /* ticks proven towards the best state; below 0: not begun */
  byte roll[KEYS];
  bool compromised[KEYS], lost[KEYS];
  bool ta, ta_on;
  bool wants[ALGORITHMS];
  byte step_ago, servers_ago, edges_ago; /* the three moments */
  bool changed;                          /* serials are not those of `servers_ago` */
};
Set set, backup;

/* The world. */
byte zone[SERVERS];
byte store[ALGORITHMS];       /* what the keystore says: a key or NONE */
byte serves[SLOTS];           /* edge e, algorithm a: slot e * ALGORITHMS + a */
byte said[SLOTS], age[EDGES]; /* what control heard of it, how long ago */
byte made;                    /* keys made so far */
/* Control beside its set. */
bool stepped, trouble; /* since it started; the last step saw more than the database knows */
byte want;             /* gate_out: records, additions_only, may_start */
bool only_adds, may_start;
bool busy, job_adds, job_starts; /* the publisher's job */
byte job;
/* Judges, outside of it all. */
byte lacking[RECORDS];
byte quiet[KEYS]; /* ticks since an edge served the key, or had last said so */
byte shown;       /* how long ago a server showed any RRset: it fails whoever has no key */
/* Faults that happen so many times. */
byte backups, strangers, denials, options;
bool fell[SERVERS]; /* shows an older version than it did, and nobody looked since */
byte older;
byte fault; /* of the look that is under way */
#define FINE 0
#define ALL_SILENT (SERVERS + 1) /* 1 .. SERVERS: that one is silent */
#define EXPIRING (SERVERS + 2)
#define JUMPED (SERVERS + 3)
#define answers(s) (fault != (s) + 1 && fault != ALL_SILENT)

/* Of use inside a d_step only. */
hidden byte i, k, s, r, a, current, best, retiring, live, oldest, known, heard;
hidden byte whole, confirmed, joined, doubt, ahead, unknown, mild, moved, all, yes, lacks, fresh, on;
hidden byte broken; /* never set: names the invariant in what pan prints */
#define must(g, condition) assert((condition) || broken == g)

/* G3, G5: whatever cache meets whatever edge. */
inline check_views() {
  for (i : 0 .. EDGES - 1) {
    yes = false;
    for (a : 0 .. ALGORITHMS - 1) { yes = yes || serves[i * ALGORITHMS + a] != NONE }
    must(3, yes || shown > TTL)
  }
  for (i : 0 .. SLOTS - 1) {
    if
    :: serves[i] != NONE ->
      must(3, lacking[record_of(serves[i])] > TTL);
      must(5, !TA_BITS || lacking[ca_of(serves[i])] > TTL)
    :: else
    fi
  };
  skip
}

inline display(server, rrset) {
  zone[server] = rrset;
  set.changed = true;
  backup.changed = backups == 1;
  for (r : 0 .. RECORDS - 1) {
    if
    :: refuses(zone[server], r) -> lacking[r] = 0
    :: else
    fi
  }
  shown = (rrset -> 0 : shown);
  check_views()
}

/* The gate. */

inline is_said(key) { /* gate_is_served */
  yes = false;
  for (i : 0 .. SLOTS - 1) { yes = yes || said[i] == key }
}

/* gate_read: what this look proves */
inline read() {
  whole = fault == FINE || fault == EXPIRING || fault == JUMPED;
#ifdef IGNORE_SILENT
  whole = true;
#endif
  oldest = 0;
  for (i : 0 .. EDGES - 1) { oldest = (age[i] > oldest -> age[i] : oldest) }
#ifdef IGNORE_SILENT_EDGE
  oldest = 0;
#endif
  confirmed = oldest <= SILENCE;
  joined = fault != JUMPED && (set.servers_ago <= GAP || (whole && !set.changed))
}

inline add_proof(key, is_joined, ago) {
  set.proof[key] = (set.proof[key] < 0 || !(is_joined) -> 0 : set.proof[key] + ago);
  set.proof[key] = (set.proof[key] > WAIT -> WAIT : set.proof[key])
}

inline publishes_ta() { /* gate_publishes_ta; lost keys have no chain that is known */
  on = set.ta && set.ta_on;
  yes = false;
  for (i : 0 .. KEYS - 1) {
    if
    :: set.state[i] == ACTIVE || set.state[i] == RETIRING -> yes = true; on = on && !set.lost[i]
    :: else
    fi
  }
  on = on && yes
}

inline follow_sightings(key) {
  lacks = fault == JUMPED;
  for (s : 0 .. SERVERS - 1) { lacks = lacks || (answers(s) && !shows(zone[s], key)) }
  if
#ifdef NO_RESET
  :: lacks && set.proof[key] >= 0
#endif
  :: lacks -> set.proof[key] = -1
  :: !lacks && whole -> add_proof(key, joined, set.servers_ago)
  :: else
  fi;
  set.state[key] = (set.proof[key] >= WAIT -> set.state[key] : PUBLISHED)
}

inline follow_active(key) {
  lacks = false;
  for (s : 0 .. SERVERS - 1) { lacks = lacks || (answers(s) && zone[s] && !shows(zone[s], key)) }
  all = confirmed; /* is_served_by_all */
  for (i : 0 .. EDGES - 1) { all = all && said[i * ALGORITHMS + key % ALGORITHMS] == key }
  if
  :: lacks -> set.proof[key] = -1
  :: else ->
    if
    :: all -> set.proof[key] = SETTLED
    :: !all && set.proof[key] == SETTLED -> set.proof[key] = (joined -> SETTLED : 0)
    :: !all && set.proof[key] != SETTLED && whole -> add_proof(key, joined, set.servers_ago)
    :: else
    fi
  fi
}

inline find_state(found, algorithm, what) {
  found = NONE;
  for (i : 0 .. KEYS - 1) {
    if
    :: found == NONE && i % ALGORITHMS == algorithm && set.state[i] == what -> found = i
    :: else
    fi
  }
}

inline follow_edges(key) {
  is_said(key);
#ifdef NO_CONFIRMATION
  yes = false; oldest = 0; confirmed = true;
#endif
  if
  :: UNTOLD != -1 && set.proof[key] == UNTOLD
  :: (UNTOLD == -1 || set.proof[key] != UNTOLD) && yes -> set.proof[key] = -1
  :: (UNTOLD == -1 || set.proof[key] != UNTOLD) && !yes && set.proof[key] < 0 ->
    set.proof[key] = set.proof[key] - set.step_ago;
    set.proof[key] = (set.proof[key] < -2 - SILENCE -> -2 - SILENCE : set.proof[key]);
    set.proof[key] = (confirmed && oldest < -1 - set.proof[key] -> 0 : set.proof[key])
  :: !yes && set.proof[key] >= 0 && confirmed -> add_proof(key, set.edges_ago <= GAP, set.edges_ago)
  :: else
  fi
}

inline follow_absence(key) {
  is_said(key);
  all = false; /* seen_anywhere */
  for (s : 0 .. SERVERS - 1) { all = all || (answers(s) && has(zone[s], record_of(key))) }
  lacks = false; /* another entry has the same key */
  for (i : 0 .. KEYS - 1) {
    lacks = lacks || (i != key && set.state[i] != UNKNOWN && record_of(i) == record_of(key))
  }
  if
  :: !lacks && yes && !set.compromised[key] -> set.state[key] = RETIRING; set.proof[key] = -1
  :: !lacks && all && !(yes && !set.compromised[key]) -> set.proof[key] = -1
  :: !(!lacks && (all || (yes && !set.compromised[key]))) && whole -> add_proof(key, joined, set.servers_ago)
  :: else
  fi
}

inline follow() {
  for (k : 0 .. KEYS - 1) {
    if
    :: set.state[k] == PUBLISHED || set.state[k] == READY -> follow_sightings(k)
    :: set.state[k] == ACTIVE -> follow_active(k)
    :: set.state[k] == RETIRING -> follow_edges(k)
    :: set.state[k] == GONE -> follow_absence(k)
    :: else
    fi
  }
}

/* gate_judge: every doubt. `known`: records of the set's keys, `heard`: of the keys that edges say they serve */
inline judge() {
  known = 0; heard = 0; ahead = false; unknown = false; mild = false;
  for (i : 0 .. KEYS - 1) {
    if
    :: set.state[i] != UNKNOWN -> known = known | (1 << record_of(i)) | (TA_BITS & (1 << ca_of(i)))
    :: else
    fi
  }
  for (i : 0 .. SLOTS - 1) {
    if
    :: said[i] != NONE ->
      heard = heard | (1 << record_of(said[i]));
      ahead = ahead || (set.state[said[i]] != ACTIVE && set.state[said[i]] != RETIRING)
    :: else
    fi
  }
  for (s : 0 .. SERVERS - 1) { unknown = unknown || (answers(s) && (zone[s] & ~known)) }
  for (k : 0 .. KEYS - 1) {
    is_said(k);
    lacks = false;
    for (s : 0 .. SERVERS - 1) { lacks = lacks || (answers(s) && zone[s] && !shows(zone[s], k)) }
    mild = mild || (lacks && (set.state[k] == ACTIVE || (set.state[k] == RETIRING && yes))); /* RECORD_MISSING */
    mild = mild || (set.state[k] == ACTIVE && set.proof[k] >= 0 && set.proof[k] < WAIT)      /* UNPROVEN */
  }
  doubt = ahead || unknown || mild || fault != FINE || !confirmed;
#ifdef IGNORE_SILENT
  doubt = ahead || unknown || mild || !confirmed
#endif
}

inline find_next(algorithm) {
  best = NONE;
  for (i : 0 .. KEYS - 1) {
    if
    :: i % ALGORITHMS == algorithm && set.state[i] >= GENERATED && set.state[i] <= READY && !set.compromised[i] ->
      yes = best == NONE; /* comes_before */
      if
      :: !yes && set.roll[i] != set.roll[best] -> best = (set.roll[i] > set.roll[best] -> i : best)
      :: !yes && set.roll[i] == set.roll[best] && set.state[i] != set.state[best] ->
        best = (set.state[i] > set.state[best] -> i : best)
      :: !yes && set.roll[i] == set.roll[best] && set.state[i] == set.state[best] ->
        best = (set.proof[i] > set.proof[best] -> i : best)
      :: else -> best = i
      fi
    :: else
    fi
  }
}

inline other_serves(algorithm) { /* gate_other_serves */
  yes = false;
  for (i : 0 .. KEYS - 1) {
    yes = yes || (i % ALGORITHMS != algorithm && set.wants[i % ALGORITHMS] && set.state[i] == ACTIVE && !set.compromised[i])
  }
#ifdef LEAVES_ALONE
  yes = true;
#endif
}

inline start_fresh() {
  fresh = whole && !ahead;
  for (s : 0 .. SERVERS - 1) { fresh = fresh && !(answers(s) && zone[s]) }
  for (k : 0 .. KEYS - 1) { fresh = fresh && set.state[k] <= GENERATED }
  for (a : 0 .. ALGORITHMS - 1) {
    find_next(a);
    if
    :: fresh && set.wants[a] && best != NONE -> set.state[best] = ACTIVE; set.roll[best] = 0; set.proof[best] = SETTLED
    :: else
    fi
  }
}

inline publish() {
  for (k : 0 .. KEYS - 1) {
    if
    :: !ahead && !unknown && set.state[k] == GENERATED && set.wants[k % ALGORITHMS] && !set.compromised[k] ->
      set.state[k] = PUBLISHED; set.proof[k] = -1
    :: else
    fi
  }
}

#ifdef ONE_TTL
#define ENOUGH TTL
#else
#define ENOUGH WAIT
#endif

inline finish() {
  for (k : 0 .. KEYS - 1) {
    if
    :: set.state[k] == RETIRING && set.proof[k] >= ENOUGH -> set.state[k] = GONE; set.proof[k] = -1; set.roll[k] = 0; moved = true
    :: set.state[k] >= GENERATED && set.state[k] <= READY && (set.compromised[k] || (set.state[k] == GENERATED && !set.wants[k % ALGORITHMS])) ->
      set.state[k] = GONE; set.proof[k] = -1; set.roll[k] = 0; moved = true
    :: (set.state[k] == PUBLISHED || set.state[k] == READY) && !set.compromised[k] && !set.wants[k % ALGORITHMS] ->
      set.state[k] = RETIRING; set.proof[k] = UNTOLD; set.roll[k] = 0; moved = true
    :: set.state[k] == PUBLISHED && !set.compromised[k] && set.wants[k % ALGORITHMS] && set.proof[k] >= ENOUGH ->
      set.state[k] = READY; moved = true
    :: else
    fi
  }
}

inline switch_algorithm(algorithm) {
  find_state(current, algorithm, ACTIVE);
  find_state(retiring, algorithm, RETIRING);
  find_next(algorithm);
  live = best; /* promotion_awaits */
  if
  :: best == NONE || !set.wants[algorithm] -> live = NONE
#ifdef FORCED_NEEDS_NO_PROOF
  :: best != NONE && set.wants[algorithm] && set.roll[best] == FORCED && set.state[best] == PUBLISHED
#endif
  :: best != NONE && set.wants[algorithm] && set.state[best] != READY -> live = NONE
  :: best != NONE && set.wants[algorithm] && set.state[best] == READY && current != NONE && !set.compromised[current] && set.roll[best] != FORCED &&
      (set.roll[best] != ASKED || retiring != NONE) -> live = NONE
  :: else
  fi;
  other_serves(algorithm);
  if
  :: current != NONE && (live != NONE || ((set.compromised[current] || !set.wants[algorithm]) && yes)) ->
    set.state[current] = RETIRING; set.proof[current] = UNTOLD; moved = true
  :: else
  fi;
  if
  :: live != NONE -> set.state[live] = ACTIVE; set.roll[live] = 0; moved = true
  :: else
  fi
}

inline forget_key(key) {
  set.state[key] = UNKNOWN; set.proof[key] = -1; set.roll[key] = 0; set.compromised[key] = false; set.lost[key] = false
}

inline forget() {
  for (k : 0 .. KEYS - 1) {
    if
    :: set.state[k] == GONE && set.proof[k] >= WAIT -> forget_key(k)
    :: else
    fi
  }
}

/* gate_records, keep_live, and what the keystore is told (zone/keep_look.c, serves) */
inline conclude() {
  want = 0;
  publishes_ta();
  only_adds = doubt;
#ifdef REMOVES_IN_DOUBT
  only_adds = false;
#endif
  for (k : 0 .. KEYS - 1) {
    if
    :: set.state[k] >= PUBLISHED && set.state[k] <= RETIRING -> want = want | (1 << record_of(k)) | (on -> TA_BITS & (1 << ca_of(k)) : 0)
    :: else
    fi
  }
  want = (ahead || unknown || fault != FINE || !confirmed -> (want & ~TA_BITS) | heard : want);
  may_start = !doubt; /* is_kept_by_all, is_promised */
  for (i : 0 .. EDGES - 1) {
    yes = false;
    for (a : 0 .. ALGORITHMS - 1) {
      r = said[i * ALGORITHMS + a];
      yes = yes || r != NONE;
      may_start = may_start && (r == NONE || (has(want, record_of(r)) && (!(want & TA_BITS) || has(want, ca_of(r)))))
    }
    may_start = may_start && yes
  }
#ifdef ALWAYS_STARTS
  may_start = true;
#endif
  all = !doubt;
#ifdef TELLS_IN_DOUBT
  all = true;
#endif
  for (a : 0 .. ALGORITHMS - 1) {
    find_state(current, a, ACTIVE);
    other_serves(a);
    all = all && (current != NONE || yes)
  }
  for (a : 0 .. ALGORITHMS - 1) {
    find_state(current, a, ACTIVE);
    moved = moved || (all && store[a] != current);
    store[a] = (all -> current : store[a])
  }
  for (k : 0 .. KEYS - 1) {
    set.proof[k] = (all && set.state[k] == RETIRING && set.proof[k] == UNTOLD -> -1 : set.proof[k])
  }
}

inline tell_step() {
  printf("look (fault %d): doubt %d, records {%d}, keystore %d; keys:", fault, doubt, want, store[0]);
  for (k : 0 .. KEYS - 1) { printf(" %d/%d", set.state[k], set.proof[k]) }
  printf("\n")
}

inline look() { /* gate_step */
  read(); follow(); judge();
  moved = false;
  start_fresh(); publish();
  all = !set.ta || !doubt; /* gate_knows_chains */
  for (i : 0 .. SLOTS - 1) {
    all = all && (!set.ta || said[i] == NONE || (set.state[said[i]] >= PUBLISHED && set.state[said[i]] <= RETIRING))
  }
  set.ta_on = (all -> set.ta : set.ta_on);
  if
#ifdef MOVES_IN_DOUBT
  :: true ->
#else
  :: !doubt ->
#endif
    finish();
    for (a : 0 .. ALGORITHMS - 1) { switch_algorithm(a) }
  :: else
  fi;
  forget();
  conclude();
  tell_step();
#ifndef NO_G4
  must(4, !moved || (fault == FINE && confirmed && !ahead && !unknown)); /* G4 */
#endif
  set.step_ago = 0; /* remember */
  set.servers_ago = (whole -> 0 : set.servers_ago);
  set.changed = (whole -> false : set.changed);
  set.edges_ago = (confirmed -> 0 : set.edges_ago);
  for (s : 0 .. SERVERS - 1) { fell[s] = fell[s] && !answers(s) }
  stepped = true;
  trouble = ahead || unknown;
  fault = FINE
}

#include "world.pml"
