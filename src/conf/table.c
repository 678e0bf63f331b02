#include "conf/table.h"

#define WORDS_log_level "debug info warn error"
#define WORDS_authority_denial "nsec nsec3"
#define WORDS_insecure_mx "dane encrypt opportunistic"
#define WORDS_address_family "none ipv4 ipv6"
#define WORDS_tls_version "1.0 1.1 1.2"

#define ROW_NAME .kind = KIND_NAME
#define ROW_PATH .kind = KIND_PATH
#define ROW_TEXT .kind = KIND_TEXT
#define ROW_ADDRESS .kind = KIND_ADDRESS
#define ROW_BOOL .kind = KIND_BOOL
#define ROW_NUMBER .kind = KIND_NUMBER
#define ROW_SIZE .kind = KIND_SIZE
#define ROW_DURATION .kind = KIND_DURATION
#define ROW_CHOICE(list) .kind = KIND_CHOICE, .words = WORDS_##list
#define ROW_ADDRESS_LIST .kind = KIND_ADDRESS_LIST
#define ROW_NETWORK_LIST .kind = KIND_NETWORK_LIST
#define ROW_IP_LIST .kind = KIND_IP_LIST
#define ROW_NAME_LIST .kind = KIND_NAME_LIST
#define ROW_DURATION_LIST .kind = KIND_DURATION_LIST

const struct conf_option conf_options[] = {
#define SECTION(title) {.section = (title)},
#define OPTION(option, type, text, from, to, says)                                                           \
    {.name = #option,                                                                                        \
     ROW_##type,                                                                                             \
     .standard = (text),                                                                                     \
     .least = (from),                                                                                        \
     .most = (to),                                                                                           \
     .offset = offsetof(struct conf, option),                                                                \
     .sentence = (says)},
#include "conf/options.def"
#undef OPTION
#undef SECTION
};

const size_t conf_option_count = sizeof conf_options / sizeof *conf_options;

const char *conf_kind_text(enum conf_kind kind)
{
    static const char *const texts[] = {
#define X(name, text) text,
        CONF_KINDS(X)
#undef X
    };
    return texts[kind];
}
