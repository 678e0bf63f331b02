/* The verbs of this module. Their context is the struct board. */
#ifndef KEYS_VERBS_PRIV_H
#define KEYS_VERBS_PRIV_H

#include "keys/keys.h"
#include "tenant/call.h"

#define KEYS_VERBS(X)                                                                                        \
    X(key_list, "key.list", VERB_READ)                                                                       \
    X(key_show, "key.show", VERB_READ)                                                                       \
    X(key_add, "key.add", VERB_WRITE)                                                                        \
    X(key_set, "key.set", VERB_WRITE)                                                                        \
    X(key_remove, "key.remove", VERB_WRITE)                                                                  \
    X(key_timeline, "key.timeline", VERB_READ)                                                               \
    X(key_roll, "key.roll", VERB_FREE)                                                                       \
    X(key_stage, "key.stage", VERB_FREE)                                                                     \
    X(key_emergency, "key.emergency", VERB_FREE)                                                             \
    X(key_accept, "key.accept", VERB_FREE)                                                                   \
    X(edge_confirm, "edge.confirm", VERB_FREE)                                                               \
    X(edge_targets, "edge.targets", VERB_READ)                                                               \
    X(edge_probe, "edge.probe", VERB_WRITE)
#define X(name, text, kind) enum err verb_##name(struct call *c);
KEYS_VERBS(X)
#undef X

#endif
