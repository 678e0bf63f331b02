#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "smtpd/answer.h"
#include "smtpd/session_priv.h"

static void written(const struct trace_facts *f, const char *wanted)
{
    struct buf out = {0};
    trace_write(f, &out);
    assert_string_equal(buf_cstr(&out), wanted);
    buf_release(&out);
}

static void received_fields(void **state)
{
    (void)state;
    struct tls_info tls = {
        .protocol = "TLSv1.3", .cipher = "TLS_AES_256_GCM_SHA384", .sni = "ours-example.mx.example"};
    struct trace_facts f = {.helo = STR("client.example"),
                            .peer = STR("192.0.2.7"),
                            .hostname = STR("edge.example"),
                            .id = "0123456789abcd",
                            .now_ms = 1795465360000};
    written(&f, "Received: from client.example ([192.0.2.7])\r\n\tby edge.example (Kedge) with SMTP id "
                "0123456789abcd\r\n"
                "\t(level=none);\r\n\tMon, 23 Nov 2026 20:22:40 +0000\r\n");
    f.is_ehlo = true, f.tls = &tls, f.peer = STR("2001:db8::7");
    written(&f, "Received: from client.example ([IPv6:2001:db8::7])\r\n"
                "\tby edge.example (Kedge) with ESMTPS id 0123456789abcd\r\n"
                "\t(TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 sni=ours-example.mx.example level=encrypt);\r\n"
                "\tMon, 23 Nov 2026 20:22:40 +0000\r\n");
    f.is_utf8 = true;
    (void)str_copy(STR("a)(b\\c"), tls.sni, sizeof tls.sni);
    written(&f, "Received: from client.example ([IPv6:2001:db8::7])\r\n"
                "\tby edge.example (Kedge) with UTF8SMTPS id 0123456789abcd\r\n"
                "\t(TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 sni=a??b?c level=encrypt);\r\n"
                "\tMon, 23 Nov 2026 20:22:40 +0000\r\n");
}

/* RFC 2034: the class of the enhanced status is the first digit of the code. */
static void codes_and_statuses_agree(void **state)
{
    (void)state;
    for (int i = 0; i < ANSWER_COUNT; i++) {
        const struct answer_row *row = answer_row((enum answer)i);
        assert_int_equal(row->code / 100, row->status[0] - '0');
        assert_true(row->code >= 200 && row->code < 600 && *row->text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(received_fields),
                                       cmocka_unit_test(codes_and_statuses_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
