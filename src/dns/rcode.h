/* The answer codes of DNS servers (RFC 1035, 2136, 8945). */
#ifndef DNS_RCODE_H
#define DNS_RCODE_H

/* X(NAME, number, "sentence") */
#define DNS_RCODE_TABLE(X)                                                                                   \
    X(NOERROR, 0, "no error")                                                                                \
    X(FORMERR, 1, "the server calls the message malformed")                                                  \
    X(SERVFAIL, 2, "the server failed, its log should say why")                                              \
    X(NXDOMAIN, 3, "the name does not exist")                                                                \
    X(NOTIMP, 4, "the server does not implement this")                                                       \
    X(REFUSED, 5, "the server's configuration does not allow this")                                          \
    X(YXDOMAIN, 6, "a name exists that should not")                                                          \
    X(YXRRSET, 7, "records exist that should not")                                                           \
    X(NXRRSET, 8, "records are missing that should exist")                                                   \
    X(NOTAUTH, 9, "the server is not authoritative for the zone, or does not accept the TSIG key")           \
    X(NOTZONE, 10, "a name lies outside of the zone")                                                        \
    X(BADVERS, 16, "the server does not speak this version of EDNS")

enum dns_rcode {
#define X(name, number, sentence) DNS_RCODE_##name = number,
    DNS_RCODE_TABLE(X)
#undef X
};

/* "NOTZONE"; "?" for a code without a name here. */
const char *dns_rcode_name(enum dns_rcode rcode);
const char *dns_rcode_sentence(enum dns_rcode rcode);

#endif
