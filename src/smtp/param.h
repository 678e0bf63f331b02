/* Parameters of MAIL and RCPT, typed: SIZE (RFC 1870), BODY (6152, 3030), SMTPUTF8 (6531), RET, ENVID,
 * NOTIFY, ORCPT (3461), REQUIRETLS (8689), AUTH (4954: read and ignored). */
#ifndef SMTP_PARAM_H
#define SMTP_PARAM_H

#include "smtp/command.h"
#include "smtp/extension.h"

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BITMIME, SMTP_BODY_BINARYMIME };
enum smtp_ret { SMTP_RET_UNSAID, SMTP_RET_FULL, SMTP_RET_HDRS };
enum smtp_notify { /* bits; 0: unsaid */
                   SMTP_NOTIFY_NEVER = 1,
                   SMTP_NOTIFY_SUCCESS = 2,
                   SMTP_NOTIFY_FAILURE = 4,
                   SMTP_NOTIFY_DELAY = 8,
};

struct smtp_mail_params {
    bool has_size;
    uint64_t size;
    enum smtp_body body;
    bool is_utf8;
    bool is_requiretls;
    enum smtp_ret ret;
    struct str envid; /* xtext as sent; checked */
};

struct smtp_rcpt_params {
    unsigned notify;        /* enum smtp_notify */
    struct str notify_text; /* as sent */
    struct str orcpt;       /* as sent; checked: smtp_orcpt_decode */
};

/* offered: what our EHLO said (bits of enum smtp_extension); a parameter of another extension is
 * SMTP_SYNTAX_PARAM. Values against their grammar, and parameters given twice, are SMTP_SYNTAX_ARGS. */
enum smtp_syntax smtp_mail_params_parse(const struct smtp_command *c, uint32_t offered,
                                        struct smtp_mail_params *out, const char **why);
enum smtp_syntax smtp_rcpt_params_parse(const struct smtp_command *c, uint32_t offered,
                                        struct smtp_rcpt_params *out, const char **why);

#endif
