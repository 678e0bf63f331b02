#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "mail/header.h"

static const char message[] = "Received: one\r\n\tfolded: Received: no\r\n"
                              "Received : two\r\n"
                              "X-Received: no\r\n"
                              "RECEIVED:three\r\n"
                              "Subject: a\r\n b\r\n"
                              "Message-Id:\r\n <id@x.example>\r\n"
                              "Message-ID: <second@x.example>\r\n"
                              "\r\n"
                              "Received: body\r\n\r\nReceived: body\r\n";

static void the_same_in_pieces_of_any_size(void **state)
{
    (void)state;
    for (size_t step = 1; step < sizeof message; step++) {
        struct header_scan h = {0};
        for (size_t at = 0; at < sizeof message - 1; at += step)
            header_scan(&h, str_sub(str_make(message, sizeof message - 1), at, step));
        assert_int_equal(h.received, 3);
        assert_true(h.ended && !h.has_8bit);
        assert_string_equal(h.message_id, "<id@x.example>");
        assert_int_equal(h.octets, strstr(message, "\r\n\r\n") + 4 - message);
    }
}

static void a_long_line_counts_and_does_not_overflow(void **state)
{
    (void)state;
    struct header_scan h = {0};
    header_scan(&h, STR("Message-ID: "));
    for (int i = 0; i < 1000; i++)
        header_scan(&h, STR("0123456789"));
    header_scan(&h, STR("\r\nReceived: \xc3\xbc\r\n"));
    assert_int_equal(h.octets, 12 + 10000 + 2 + 14);
    assert_int_equal(h.received, 1);
    assert_true(h.has_8bit && !h.ended);
    assert_string_equal(h.message_id, "");
}

static void a_message_may_begin_with_its_body(void **state)
{
    (void)state;
    struct header_scan h = {0};
    header_scan(&h, STR("\r\nReceived: no\r\n"));
    assert_true(h.ended);
    assert_int_equal(h.received, 0);
    assert_int_equal(header_section(STR("\r\nbody\r\n\r\n")).n, 0);
}

static void sections_and_values(void **state)
{
    (void)state;
    struct arena a = {0};
    struct str value, section = header_section(str_of(message));
    assert_true(str_ends(section, STR("<second@x.example>\r\n")));
    assert_true(header_value(section, STR("subject"), &a, &value));
    assert_true(str_equal(value, STR("a b")));
    assert_true(header_value(section, STR("message-id"), &a, &value));
    assert_true(str_equal(value, STR("<id@x.example>")));
    assert_false(header_value(section, STR("Date"), &a, &value));
    assert_false(header_value(STR("no colon"), STR("no colon"), &a, &value));
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_in_pieces_of_any_size),
        cmocka_unit_test(a_long_line_counts_and_does_not_overflow),
        cmocka_unit_test(a_message_may_begin_with_its_body),
        cmocka_unit_test(sections_and_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
