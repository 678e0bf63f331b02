#include "keys/verbs_priv.h"

const struct tenant_verb keys_verbs[] = {
#define X(name, text, kind) {text, kind, verb_##name},
    KEYS_VERBS(X)
#undef X
};
const size_t keys_verb_count = sizeof keys_verbs / sizeof *keys_verbs;
