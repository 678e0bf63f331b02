#include "dns/answer.h"

const char *dns_type_name(enum dns_type type)
{
    switch (type) {
#define X(name, number)                                                                                      \
    case number:                                                                                             \
        return #name;
        DNS_TYPE_TABLE(X)
#undef X
    }
    return "?";
}

static const struct {
    const char *name, *sentence;
} ERRORS[] = {
#define X(name, text, sentence) {text, sentence},
    DNS_ERROR_TABLE(X)
#undef X
};

const char *dns_error_name(enum dns_error error)
{
    ENSURE((size_t)error < sizeof ERRORS / sizeof *ERRORS);
    return ERRORS[error].name;
}

const char *dns_error_sentence(enum dns_error error)
{
    ENSURE((size_t)error < sizeof ERRORS / sizeof *ERRORS);
    return ERRORS[error].sentence;
}
