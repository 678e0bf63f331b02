/* The forms in which reports come, and what is made to be a burden. */
#include "fixture.h"

#include "report/unwrap.h"

static void expect(const char *name, struct str input, enum err e, const char *text)
{
    struct buf json = {0}, why = {0};
    enum err got = report_unwrap(input, &json, &why);
    bool good =
        got == e && (e ? strstr(buf_cstr(&why), text) != NULL : str_equal(buf_str(&json), str_of(text)));
    if (!good)
        fail_msg("%s: %s, '%s', %zu octets", name, err_text(got), buf_cstr(&why), json.n);
    buf_release(&json);
    buf_release(&why);
}

static void as_it_is_and_as_gzip(void **state)
{
    (void)state;
    struct buf packed = {0};
    gzip(str_of(report_json), &packed);
    expect("JSON", str_of(report_json), OK, report_json);
    expect("gzip", buf_str(&packed), OK, report_json);
    expect("gzip, cut", str_sub(buf_str(&packed), 0, packed.n - 9), ERR_MALFORMED,
           "the gzip is damaged after");
    packed.p[packed.n - 5] ^= 1;
    expect("gzip, checksum wrong", buf_str(&packed), ERR_MALFORMED, "the gzip is damaged");
    expect("nothing", STR(" \r\n"), ERR_MALFORMED, "it is empty");
    expect("words", STR("hello"), ERR_MALFORMED, "no report attached");
    buf_release(&packed);
}

static void as_mail(void **state)
{
    (void)state;
    static const struct {
        const char *name, *head, *eol, *type;
    } rows[] = {
        {"RFC 8460",
         "Subject: r\r\nContent-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"b\"\r\n\r\n",
         "\r\n", "application/tlsrpt+gzip"},
        {"a mailbox's line ends", "Subject: r\nContent-Type: multipart/report; boundary=b\n\n", "\n",
         "application/tlsrpt+gzip"},
        {"a pipe's From", "From x@y Sat Nov 28\nContent-Type: multipart/report; boundary=b\n\n", "\n",
         "application/gzip"},
        {"an unknown type", "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "\r\n",
         "application/octet-stream; name=\"a.json.gz\""},
    };
    struct buf packed = {0}, mail = {0};
    gzip(str_of(report_json), &packed);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf_set(&mail, "%s", rows[i].head);
        attach(&mail, "text/plain", STR("{This is a report}"), rows[i].eol);
        attach(&mail, rows[i].type, buf_str(&packed), rows[i].eol);
        buf_printf(&mail, "--b--%s", rows[i].eol);
        expect(rows[i].name, buf_str(&mail), OK, report_json);
    }
    mail.n -= strlen("--b--\r\n");
    attach(&mail, "application/json", str_of(report_json), "\r\n");
    expect("two reports", buf_str(&mail), ERR_MALFORMED, "2 reports attached");
    expect("only text", STR("Content-Type: text/plain\r\n\r\n{}"), ERR_MALFORMED, "no report attached");
    expect("the report alone", STR("Content-Type: application/tlsrpt+json\r\n\r\n{}\r\n"), OK, "{}\r\n");
    buf_release(&packed);
    buf_release(&mail);
}

static void bombs(void **state)
{
    (void)state;
    struct buf plain = {0}, packed = {0};
    buf_reserve(&plain, REPORT_JSON_MAX + 1);
    memset(plain.p, ' ', REPORT_JSON_MAX + 1);
    plain.p[0] = '{';
    plain.n = REPORT_JSON_MAX + 1;
    gzip(buf_str(&plain), &packed);
    expect("1000 times its size", buf_str(&packed), ERR_FULL, "more than 200 times its size");
    for (size_t i = 1; i < plain.n; i += 24) /* less ratio, the same size */
        plain.p[i] = (char)('a' + i * 2654435761U / 97 % 23);
    buf_clear(&packed);
    gzip(buf_str(&plain), &packed);
    expect("more than 16 MiB unpacked", buf_str(&packed), ERR_FULL, "larger than 16 MiB when unpacked");
    expect("more than 8 MiB", str_sub(buf_str(&plain), 0, REPORT_INPUT_MAX + 1), ERR_FULL,
           "larger than 8 MiB");
    buf_release(&plain);
    buf_release(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_it_is_and_as_gzip),
        cmocka_unit_test(as_mail),
        cmocka_unit_test(bombs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
