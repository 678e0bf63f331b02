/* Everything around the gate. */

inline later(which) {
  which.step_ago = (which.step_ago > SILENCE + 1 -> which.step_ago : which.step_ago + 1);
  which.servers_ago = (which.servers_ago > WAIT -> which.servers_ago : which.servers_ago + 1);
  which.edges_ago = (which.edges_ago > GAP -> which.edges_ago : which.edges_ago + 1)
}

inline tick() {
  for (r : 0 .. RECORDS - 1) {
    lacks = false;
    for (s : 0 .. SERVERS - 1) { lacks = lacks || refuses(zone[s], r) }
    lacking[r] = (lacks -> 0 : (lacking[r] < WAIT -> lacking[r] + 1 : WAIT))
  }
  yes = false;
  for (s : 0 .. SERVERS - 1) { yes = yes || zone[s] }
  shown = (yes -> 0 : (shown < WAIT -> shown + 1 : WAIT));
  for (k : 0 .. KEYS - 1) {
    yes = false;
    for (i : 0 .. SLOTS - 1) {
      yes = yes || (serves[i] != NONE && record_of(serves[i]) == record_of(k)) || (said[i] != NONE && record_of(said[i]) == record_of(k))
    }
    quiet[k] = (yes -> 0 : (quiet[k] < WAIT -> quiet[k] + 1 : WAIT))
  }
  for (i : 0 .. EDGES - 1) { age[i] = (age[i] > SILENCE -> age[i] : age[i] + 1) }
  later(set);
  printf("tick\n");
  if
  :: backups == 1 -> later(backup)
  :: else
  fi
}

proctype Clock() {
  do
  :: d_step { tick() }
  od
}

proctype Gate() {
  do
  :: d_step { fault = FINE; look() }
#ifndef CALM
  :: atomic {
      if /* a secondary or the primary is silent, or its answer does not validate; all are */
      :: fault = 1
      :: fault = 2
#if SERVERS > 2
      :: fault = 3
#endif
      :: fault = ALL_SILENT
      :: fault = EXPIRING /* signatures near their end */
      :: fault = JUMPED   /* the clock was wrong */
      fi;
      d_step { look() }
    }
#endif
  od
}

/* A slow publisher: whatever it was told, it may bring out late. */
proctype Publisher() {
  do
  :: d_step { stepped && !busy -> job = want; job_adds = only_adds; job_starts = may_start; busy = true; printf("the publisher starts on {%d}, only adds: %d\n", job, job_adds) }
  :: d_step {
      busy ->
      busy = false;
      job = (zone[0] || job_starts -> (job_adds -> zone[0] | job : job) : 0);
      for (k : 0 .. KEYS - 1) { /* G2 */
        must(2, !has(zone[0], record_of(k)) || has(job, record_of(k)) || quiet[k] >= WAIT)
      }
      printf("the primary has {%d}\n", job);
      if
      :: job != zone[0] -> display(0, job)
      :: else
      fi;
      job = 0; job_adds = false; job_starts = false
    }
  od
}

proctype Secondary(byte me) {
  do
  :: d_step {
      zone[me] != zone[0] && !fell[me] ->
      printf("secondary %d copies {%d}\n", me, zone[0]);
      display(me, zone[0]);
      skip
    }
#ifdef FALLBACK
  /* It is restored from an older version that has what is served, but not what is about to be. */
  :: d_step { older == 0 && zone[me] -> older = zone[me] }
  :: d_step {
      older && older != 255 && zone[me] != older && has(older, record_of(store[0])) && has(older, record_of(serves[0])) &&
        has(older, record_of(serves[SLOTS - 1])) ->
#if FALLBACK == 1
      fell[me] = true; /* it stays so until somebody looked */
#endif
      printf("secondary %d falls back to {%d}\n", me, older);
      display(me, older);
      older = 255
    }
#endif
  od
}

proctype Edge(byte me) {
  do
  :: d_step { /* it reloads: at once, late or never */
      store[0] != serves[me * ALGORITHMS] || store[ALGORITHMS - 1] != serves[me * ALGORITHMS + ALGORITHMS - 1] ->
      for (a : 0 .. ALGORITHMS - 1) {
        i = me * ALGORITHMS + a;
        if
        :: store[a] != NONE && store[a] != serves[i] -> must(1, lacking[record_of(store[a])] >= WAIT)
        :: else
        fi;
        serves[i] = store[a];
        printf("edge %d serves key %d\n", me, serves[i]);
        if
        :: serves[i] != NONE -> quiet[serves[i]] = 0
        :: else
        fi
      }
      check_views();
      skip
    }
  :: d_step { /* it says what it serves */
      for (a : 0 .. ALGORITHMS - 1) { said[me * ALGORITHMS + a] = serves[me * ALGORITHMS + a] }
      age[me] = 0;
      printf("edge %d says so\n", me)
    }
  od
}

/* Operators, as many as like. */

inline stage(wish) { /* renewal with a new key, kedge key stage, the gate's own next key */
  set.state[made] = GENERATED; set.proof[made] = -1;
  for (i : 0 .. KEYS - 1) {
    set.roll[i] = (wish && i % ALGORITHMS == made % ALGORITHMS && set.state[i] <= READY -> 0 : set.roll[i])
  }
  set.roll[made] = wish;
  printf("key %d is staged, wish %d\n", made, wish);
  made++
}

inline ask_roll(algorithm, wish) {
  find_next(algorithm);
  find_state(retiring, algorithm, RETIRING);
  if
  :: best != NONE && set.roll[best] < wish && (retiring == NONE || wish == FORCED) -> printf("a roll to key %d is asked for, wish %d\n", best, wish); set.roll[best] = wish
  :: else
  fi
}

inline emergency(key) {
  set.compromised[key] = true;
  printf("key %d is called compromised\n", key);
  set.roll[key] = 0;
  find_next(key % ALGORITHMS);
  if
  :: set.state[key] == ACTIVE && best != NONE -> set.roll[best] = FORCED
  :: else
  fi
}

inline adopt(key) {
  if
  :: set.state[key] == UNKNOWN -> set.state[key] = RETIRING; set.proof[key] = UNTOLD; set.lost[key] = true
  :: else
  fi
}

inline accept() { /* gate_accept, take_what_is_live */
  for (i : 0 .. SLOTS - 1) {
    if
    :: said[i] != NONE -> adopt(said[i])
    :: else
    fi
  }
  for (k : 0 .. KEYS - 1) {
    for (s : 0 .. SERVERS - 1) {
      if
      :: has(zone[s], record_of(k)) -> adopt(k)
      :: else
      fi
    }
  }
  for (a : 0 .. ALGORITHMS - 1) {
    live = NONE;
    for (k : 0 .. KEYS - 1) {
      is_said(k);
      all = true;
      for (s : 0 .. SERVERS - 1) { all = all && (!zone[s] || has(zone[s], record_of(k))) }
      live = (k % ALGORITHMS == a && set.state[k] != UNKNOWN && !set.lost[k] && !set.compromised[k] && yes && (set.state[k] == ACTIVE || all) -> k : live)
    }
    for (k : 0 .. KEYS - 1) {
      is_said(k);
      if
      :: k % ALGORITHMS == a && set.state[k] != UNKNOWN && k == live ->
        set.proof[k] = (set.state[k] == ACTIVE -> set.proof[k] : 0); set.state[k] = ACTIVE; set.roll[k] = 0
      :: k % ALGORITHMS == a && set.state[k] != UNKNOWN && k != live && (yes || set.state[k] == ACTIVE) ->
        set.state[k] = RETIRING; set.proof[k] = UNTOLD
      :: k % ALGORITHMS == a && k != live && !yes && (set.state[k] == READY || set.state[k] == PUBLISHED) ->
        set.state[k] = PUBLISHED; set.proof[k] = -1
      :: else
      fi
    }
  }
  set.ta_on = false;
  trouble = false;
  printf("what is live is accepted\n")
}

inline all_answer() {
  oldest = 0;
  for (i : 0 .. EDGES - 1) { oldest = (age[i] > oldest -> age[i] : oldest) }
}

proctype Operator() {
  do
  :: d_step { made < OURS -> stage(ASKED) }
  :: d_step { made < OURS -> find_next(made % ALGORITHMS); if :: best == NONE -> stage(0) :: else fi }
  :: d_step { ask_roll(0, ASKED) }
#if ALGORITHMS > 1
  :: d_step { ask_roll(1, ASKED) }
#endif
#ifdef EMERGENCY
  :: d_step { ask_roll(0, FORCED) }
  :: d_step { set.state[0] != UNKNOWN && !set.compromised[0] -> emergency(0) }
  :: d_step { set.state[1] != UNKNOWN && !set.compromised[1] -> emergency(1) }
#endif
  :: d_step { trouble -> all_answer(); if :: oldest <= SILENCE -> accept() :: else fi }
#ifdef TA
  :: d_step { options < TA -> options++; set.ta = !set.ta }
#endif
#ifdef WANTS /* of two algorithms the second is switched off and on */
  :: d_step { options < WANTS -> options++; set.wants[1] = !set.wants[1]; printf("the second algorithm is wanted: %d\n", set.wants[1]) }
#endif
  od
}

inline copy(from, to) {
  for (k : 0 .. KEYS - 1) {
    to.state[k] = from.state[k]; to.proof[k] = from.proof[k]; to.roll[k] = from.roll[k];
    to.compromised[k] = from.compromised[k]; to.lost[k] = from.lost[k]
  }
  for (a : 0 .. ALGORITHMS - 1) { to.wants[a] = from.wants[a] };
  to.ta = from.ta; to.ta_on = from.ta_on;
  to.step_ago = from.step_ago; to.servers_ago = from.servers_ago; to.edges_ago = from.edges_ago; to.changed = from.changed
}

inline clear(which) {
  for (k : 0 .. KEYS - 1) {
    which.state[k] = UNKNOWN; which.proof[k] = 0; which.roll[k] = 0; which.compromised[k] = false; which.lost[k] = false
  }
  for (a : 0 .. ALGORITHMS - 1) { which.wants[a] = true };
  which.ta = false; which.ta_on = false;
  which.step_ago = 0; which.servers_ago = 0; which.edges_ago = 0; which.changed = false
}

inline start_control() {
  for (i : 0 .. SLOTS - 1) { said[i] = NONE }
  for (i : 0 .. EDGES - 1) { age[i] = SILENCE + 1 }
  printf("control starts\n");
  stepped = false; trouble = false; want = 0; only_adds = false; may_start = false;
  busy = false; job = 0; job_adds = false; job_starts = false
}

proctype Faults() {
  do
  :: false
#ifdef RESTART
  :: d_step { start_control() } /* what was saved is what was in memory, or ... */
  :: d_step {                   /* ... proof that had grown since it was saved is gone */
      start_control();
      for (k : 0 .. KEYS - 1) { set.proof[k] = (set.proof[k] > 0 && set.proof[k] < SETTLED -> 0 : set.proof[k]) };
      skip
    }
#endif
#ifdef RESTORE
  :: d_step { backups == 0 && stepped -> copy(set, backup); backups = 1; printf("a backup is made\n") }
  :: d_step { backups == 1 -> printf("the database is restored\n"); copy(backup, set); clear(backup); backups = 2; start_control() }
#endif
#ifdef FOREIGN /* somebody publishes a record of his own, and takes it away */
  :: d_step { strangers == 0 && zone[0] -> strangers = 1; printf("a stranger adds a record\n"); display(0, zone[0] | (1 << (KEYS - 1))); skip }
  :: d_step { has(zone[0], KEYS - 1) -> display(0, zone[0] & ~(1 << (KEYS - 1))); skip }
#endif
#ifdef DENIAL /* the RRset is gone: NXDOMAIN, signed */
  :: d_step { denials < DENIAL && zone[0] -> denials++; printf("the RRset is gone\n"); display(0, 0); skip }
#endif
  od
}

init {
  atomic {
    d_step {
      for (i : 0 .. SLOTS - 1) { serves[i] = NONE; said[i] = NONE }
      for (a : 0 .. ALGORITHMS - 1) { store[a] = NONE; set.wants[a] = true; backup.wants[a] = true }
      for (k : 0 .. KEYS - 1) { quiet[k] = WAIT; set.proof[k] = -1 }
      for (r : 0 .. RECORDS - 1) { lacking[r] = WAIT }
      set.changed = true;
      made = ALGORITHMS;
      for (a : 0 .. ALGORITHMS - 1) {
#ifdef FRESH
        set.state[a] = GENERATED
#else
        set.state[a] = ACTIVE; set.proof[a] = SETTLED; store[a] = a;
        quiet[a] = 0;
        for (s : 0 .. SERVERS - 1) { zone[s] = zone[s] | (1 << record_of(a)) }
        for (s : 0 .. EDGES - 1) { serves[s * ALGORITHMS + a] = a; said[s * ALGORITHMS + a] = a }
#endif
      }
      for (r : 0 .. RECORDS - 1) { lacking[r] = (refuses(zone[0], r) -> 0 : WAIT) }
      shown = (zone[0] -> 0 : WAIT);
    }
    run Clock(); run Gate(); run Publisher(); run Operator(); run Faults();
    run Secondary(1);
#if SERVERS > 2
    run Secondary(2);
#endif
    run Edge(0);
#if EDGES > 1
    run Edge(1)
#endif
  }
}

#ifdef REACH
#define switched ((zone[0] & TA_BITS) == TA_BITS && serves[0] == 1) /* both CAs are pinned (before the old chain goes), the new chain is served */
#define one_left (set.state[1] == UNKNOWN && set.state[0] == ACTIVE && zone[SERVERS - 1] == 1 && serves[1] == NONE)
#define rolled (set.state[0] == UNKNOWN && set.state[1] == ACTIVE && zone[0] == 2 && zone[SERVERS - 1] == 2 && serves[0] == 1 && serves[SLOTS - 1] == 1)
ltl never_reached { [] !(REACH) }
#endif
