/* The verbs of this module. */
#ifndef TENANT_VERBS_PRIV_H
#define TENANT_VERBS_PRIV_H

#include "tenant/call.h"

#define VERBS(X)                                                                                             \
    X(tenant_list, "tenant.list", VERB_READ)                                                                 \
    X(tenant_show, "tenant.show", VERB_READ)                                                                 \
    X(tenant_add, "tenant.add", VERB_WRITE)                                                                  \
    X(tenant_set, "tenant.set", VERB_WRITE)                                                                  \
    X(tenant_remove, "tenant.remove", VERB_WRITE)                                                            \
    X(domain_list, "domain.list", VERB_READ)                                                                 \
    X(domain_show, "domain.show", VERB_READ)                                                                 \
    X(domain_add, "domain.add", VERB_WRITE)                                                                  \
    X(domain_set, "domain.set", VERB_WRITE)                                                                  \
    X(domain_remove, "domain.remove", VERB_WRITE)                                                            \
    X(recipient_list, "recipient.list", VERB_READ)                                                           \
    X(recipient_show, "recipient.show", VERB_READ)                                                           \
    X(recipient_add, "recipient.add", VERB_WRITE)                                                            \
    X(recipient_set, "recipient.set", VERB_WRITE)                                                            \
    X(recipient_remove, "recipient.remove", VERB_WRITE)                                                      \
    X(relay_list, "relay.list", VERB_READ)                                                                   \
    X(relay_show, "relay.show", VERB_READ)                                                                   \
    X(relay_add, "relay.add", VERB_WRITE)                                                                    \
    X(relay_set, "relay.set", VERB_WRITE)                                                                    \
    X(relay_remove, "relay.remove", VERB_WRITE)                                                              \
    X(mode_list, "mode.list", VERB_READ)                                                                     \
    X(mode_show, "mode.show", VERB_READ)                                                                     \
    X(mode_add, "mode.add", VERB_WRITE)                                                                      \
    X(mode_set, "mode.set", VERB_WRITE)                                                                      \
    X(mode_remove, "mode.remove", VERB_WRITE)                                                                \
    X(route_list, "route.list", VERB_READ)                                                                   \
    X(route_show, "route.show", VERB_READ)                                                                   \
    X(route_add, "route.add", VERB_WRITE)                                                                    \
    X(route_set, "route.set", VERB_WRITE)                                                                    \
    X(route_remove, "route.remove", VERB_WRITE)                                                              \
    X(key_list, "key.list", VERB_READ)                                                                       \
    X(key_show, "key.show", VERB_READ)                                                                       \
    X(key_add, "key.add", VERB_WRITE)                                                                        \
    X(key_set, "key.set", VERB_WRITE)                                                                        \
    X(key_remove, "key.remove", VERB_WRITE)                                                                  \
    X(status, "status", VERB_READ)
#define X(name, text, kind) enum err verb_##name(struct call *c);
VERBS(X)
#undef X

#endif
