#include "dane/dane.h"

static const struct {
    const char *name, *sentence;
} REASONS[] = {
#define X(name, text, sentence) {text, sentence},
    DANE_REASON_TABLE(X)
#undef X
};

const char *dane_reason_name(enum dane_reason reason)
{
    ENSURE((size_t)reason < sizeof REASONS / sizeof *REASONS);
    return REASONS[reason].name;
}

const char *dane_reason_sentence(enum dane_reason reason)
{
    ENSURE((size_t)reason < sizeof REASONS / sizeof *REASONS);
    return REASONS[reason].sentence;
}

static const char *const FAULTS[] = {
#define X(name, sentence) sentence,
    DANE_TLSA_FAULT_TABLE(X)
#undef X
};

const char *dane_tlsa_fault_sentence(enum dane_tlsa_fault fault)
{
    ENSURE((size_t)fault < sizeof FAULTS / sizeof *FAULTS);
    return FAULTS[fault];
}
