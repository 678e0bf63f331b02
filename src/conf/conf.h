/*
 * conf: the configuration file. One table, options.def, is the only place where an option is defined.
 *
 * Syntax: `option = value` lines; `#` starts a comment; lists may hold several words and may be given again.
 * Unknown, repeated and out-of-range options are errors, each with its line. Knows nothing of what options
 * mean. The struct is plain data owned by who loaded it; daemons load once, and again on SIGHUP into a fresh
 * one.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Texts are in the form of the file; parsing an address or network into its own type is net's work (it stands
 * above). */
struct conf_list {
    char **v;
    size_t n;
};

struct conf_durations {
    int64_t *v;
    size_t n;
};

enum conf_log_level { CONF_LOG_DEBUG, CONF_LOG_INFO, CONF_LOG_WARN, CONF_LOG_ERROR };
enum conf_authority_denial { CONF_DENIAL_NSEC, CONF_DENIAL_NSEC3 };
enum conf_insecure_mx { CONF_INSECURE_MX_DANE, CONF_INSECURE_MX_ENCRYPT, CONF_INSECURE_MX_OPPORTUNISTIC };
enum conf_address_family { CONF_FAMILY_NONE, CONF_FAMILY_IPV4, CONF_FAMILY_IPV6 };
enum conf_tls_version { CONF_TLS_1_0, CONF_TLS_1_1, CONF_TLS_1_2 };

#define CONF_C_NAME char *
#define CONF_C_PATH char *
#define CONF_C_TEXT char *
#define CONF_C_ADDRESS char *
#define CONF_C_BOOL bool
#define CONF_C_NUMBER int64_t
#define CONF_C_SIZE int64_t
#define CONF_C_DURATION int64_t
#define CONF_C_CHOICE(words) enum conf_##words
#define CONF_C_ADDRESS_LIST struct conf_list
#define CONF_C_NETWORK_LIST struct conf_list
#define CONF_C_IP_LIST struct conf_list
#define CONF_C_NAME_LIST struct conf_list
#define CONF_C_DURATION_LIST struct conf_durations

struct conf {
#define SECTION(title)
#define OPTION(name, type, text, least, most, sentence) CONF_C_##type name;
#include "conf/options.def"
#undef OPTION
#undef SECTION
};

enum { CONF_FILE_MAX = 1 << 20 };

/* Defaults only: hostname and run_directory filled in from the system and data_directory. */
void conf_default(struct conf *out);
/* Reads and checks the file. On failure out is released and why holds a line "FILE:LINE: ..." for every
 * mistake. */
enum err conf_load(const char *path, struct conf *out, struct buf *why) MUST_CHECK;
/* The pure part: text to struct. `name` stands for the file in messages. */
enum err conf_parse(struct str text, const char *name, struct conf *out, struct buf *why) MUST_CHECK;
/* Accepts a zeroed struct. */
void conf_release(struct conf *c);

/* A complete sample file, every option commented out at its default. */
void conf_sample(struct buf *out);
/* kedge.conf(5) as mdoc. */
void conf_man(struct buf *out);
/* The settings in force, one `option = value` a line. */
void conf_show(const struct conf *c, struct buf *out);

/* Pure value parsers, also for command lines: "15min", "64MiB". False when the text is not one. */
bool conf_duration(struct str text, int64_t *ms);
bool conf_size(struct str text, int64_t *bytes);

#endif
