/* Command lines with their parameters: what is accepted is made of pieces of the line. */
#include "smtp/smtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct str whole, struct str part)
{
    ENSURE(!part.n || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str line = str_make((const char *)data, size);
    struct smtp_command c;
    struct smtp_mail_params mail;
    struct smtp_rcpt_params rcpt;
    struct buf text = {0}, kept = {0};
    const char *why;
    if (smtp_command_parse(line, &c, &why) == SMTP_SYNTAX_OK) {
        ENSURE(c.verb != SMTP_UNKNOWN &&
               (!c.path.n || (c.path.p[0] == '<' && c.path.p[c.path.n - 1] == '>')));
        inside(line, c.path);
        for (size_t i = 0; i < c.param_n; i++)
            inside(line, c.param[i].keyword), inside(line, c.param[i].value);
        if (smtp_mail_params_parse(&c, UINT32_MAX, &mail, &why) == SMTP_SYNTAX_OK && mail.envid.n)
            ENSURE(smtp_xtext_decode(mail.envid, &text));
        if (smtp_rcpt_params_parse(&c, UINT32_MAX, &rcpt, &why) == SMTP_SYNTAX_OK && rcpt.orcpt.n) {
            inside(line, rcpt.orcpt);
            buf_clear(&text), smtp_orcpt_decode(rcpt.orcpt, &kept);
            ENSURE(smtp_orcpt_encode(buf_str(&kept), true, &text) && smtp_orcpt_is_valid(buf_str(&text)));
        }
    }
    buf_release(&text), buf_release(&kept);
    return 0;
}
