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
    X(domain_list, "domain.list", VERB_FREE_READ)                                                            \
    X(domain_show, "domain.show", VERB_READ)                                                                 \
    X(domain_add, "domain.add", VERB_FREE)                                                                   \
    X(domain_set, "domain.set", VERB_FREE)                                                                   \
    X(domain_remove, "domain.remove", VERB_FREE)                                                             \
    X(domain_dnssec_enable, "domain.dnssec.enable", VERB_FREE)                                               \
    X(domain_dnssec_disable, "domain.dnssec.disable", VERB_FREE)                                             \
    X(domain_dane_enable, "domain.dane.enable", VERB_FREE)                                                   \
    X(domain_dane_disable, "domain.dane.disable", VERB_FREE)                                                 \
    X(edge_group_list, "edge.group.list", VERB_READ)                                                         \
    X(edge_group_show, "edge.group.show", VERB_READ)                                                         \
    X(edge_group_add, "edge.group.add", VERB_WRITE)                                                          \
    X(edge_group_set, "edge.group.set", VERB_WRITE)                                                          \
    X(edge_group_remove, "edge.group.remove", VERB_WRITE)                                                    \
    X(edge_list, "edge.list", VERB_READ)                                                                     \
    X(edge_show, "edge.show", VERB_READ)                                                                     \
    X(edge_set, "edge.set", VERB_WRITE)                                                                      \
    X(edge_remove, "edge.remove", VERB_WRITE)                                                                \
    X(zone_list, "zone.list", VERB_READ)                                                                     \
    X(zone_show, "zone.show", VERB_READ)                                                                     \
    X(zone_add, "zone.add", VERB_WRITE)                                                                      \
    X(zone_set, "zone.set", VERB_WRITE)                                                                      \
    X(zone_remove, "zone.remove", VERB_WRITE)                                                                \
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
    X(status, "status", VERB_READ)
#define X(name, text, kind) enum err verb_##name(struct call *c);
VERBS(X)
#undef X

#endif
