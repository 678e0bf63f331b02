#include "dns/rcode.h"

const char *dns_rcode_name(enum dns_rcode rcode)
{
    switch (rcode) {
#define X(name, number, sentence)                                                                            \
    case number:                                                                                             \
        return #name;
        DNS_RCODE_TABLE(X)
#undef X
    }
    return "?";
}

const char *dns_rcode_sentence(enum dns_rcode rcode)
{
    switch (rcode) {
#define X(name, number, sentence)                                                                            \
    case number:                                                                                             \
        return sentence;
        DNS_RCODE_TABLE(X)
#undef X
    }
    return "an answer code that has no name here";
}
