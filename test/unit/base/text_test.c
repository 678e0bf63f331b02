/* str, buf, codec, json, log: text in all its forms. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

static void expect(struct str got, const char *wanted)
{
    if (!str_equal(got, str_of(wanted)))
        fail_msg("got \"%.*s\", wanted \"%s\"", STR_ARG(got), wanted);
}

static void cutting(void **state)
{
    struct str rest = STR("a:b::c");
    expect(str_cut(&rest, ':'), "a");
    expect(str_cut(&rest, ':'), "b");
    expect(str_cut(&rest, ':'), "");
    expect(str_cut(&rest, ':'), "c");
    assert_null(rest.p);
    rest = STR(" \t one  two ");
    expect(str_word(&rest), "one");
    expect(str_word(&rest), "two");
    assert_true(str_is_empty(str_word(&rest)));
    expect(str_trim(STR("\r\n x y \t")), "x y");
    expect(str_sub(STR("abc"), 5, 1), "");
    expect(str_sub(STR("abc"), 1, SIZE_MAX), "bc");
    assert_int_equal(str_find(STR("hello"), STR("l")), 2);
    assert_int_equal(str_rfind_char(STR("hello"), 'l'), 3);
    assert_int_equal(str_find_char(STR_NONE, 'l'), SIZE_MAX);
}

static void comparing(void **state)
{
    assert_true(str_equal_nocase(STR("MX.Example"), STR("mx.eXAMPLE")));
    assert_false(str_equal_nocase(STR("["), STR("{"))); /* differ in the case bit, are no letters */
    assert_true(str_starts_nocase(STR("MAIL FROM:"), STR("mail from")));
    assert_false(str_starts(STR("ab"), STR("abc")));
    assert_true(str_ends(STR("a.example"), STR(".example")));
    assert_true(str_compare(STR("a"), STR("ab")) < 0);
    assert_true(str_compare_nocase(STR("B"), STR("a")) > 0);
    assert_true(str_equal(STR_NONE, STR("")));
}

static void numbers(void **state)
{
    uint64_t v;
    uint32_t w;
    assert_true(str_to_u64(STR("18446744073709551615"), &v) && v == UINT64_MAX);
    assert_false(str_to_u64(STR("18446744073709551616"), &v));
    assert_false(str_to_u64(STR(""), &v) || str_to_u64(STR("+1"), &v) || str_to_u64(STR("1 "), &v) ||
                 str_to_u64(STR("-1"), &v));
    assert_true(str_to_u32(STR("4294967295"), &w));
    assert_false(str_to_u32(STR("4294967296"), &w));
}

static void growing(void **state)
{
    struct buf b = {0};
    assert_string_equal(buf_cstr(&b), "");
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%d,", i);
    assert_int_equal(b.n, 10 * 2 + 90 * 3 + 900 * 4);
    buf_drop(&b, b.n - 4);
    assert_string_equal(buf_cstr(&b), "999,");
    buf_set(&b, "before: %s", buf_cstr(&b)); /* reads what it replaces */
    assert_string_equal(buf_cstr(&b), "before: 999,");
    buf_release(&b);
    buf_set(NULL, "nobody listens");
}

static void codecs(void **state)
{
    static const char *const base64[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
    struct buf b = {0};
    for (size_t i = 0; i < sizeof base64 / sizeof *base64; i++) { /* RFC 4648, section 10 */
        buf_clear(&b);
        base64_append(&b, base64[i][0], strlen(base64[i][0]));
        expect(buf_str(&b), base64[i][1]);
        buf_clear(&b);
        assert_true(base64_decode(&b, str_of(base64[i][1])));
        expect(buf_str(&b), base64[i][0]);
    }
    static const char *const bad[] = {"Zg=", "Zg", "Z===", "Zh==", "Zm9=", "Zm 9", "====", "Zg==Zg=="};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(base64_decode(&b, str_of(bad[i])));
    buf_clear(&b);
    assert_true(hex_decode(&b, STR("00 fF\t10")));
    assert_memory_equal(b.p, "\x00\xff\x10", 3);
    assert_false(hex_decode(&b, STR("0")) || hex_decode(&b, STR("0g")));
    buf_clear(&b);
    hex_append(&b, "\x01\xab", 2);
    expect(buf_str(&b), "01ab");
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283); /* the check value of CRC-32C */
    assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
    buf_release(&b);
}

static void packing(void **state)
{
    struct buf b = {0};
    buf_add_char(&b, 7);
    buf_add_u16(&b, 0x1234);
    buf_add_u32(&b, 0xdeadbeef);
    buf_add_u64(&b, UINT64_MAX - 1);
    pack_str(&b, STR("text"));
    struct unpack u = {buf_str(&b), false};
    assert_int_equal(unpack_u8(&u), 7);
    assert_int_equal(unpack_u16(&u), 0x1234);
    assert_int_equal(unpack_u32(&u), 0xdeadbeef);
    assert_true(unpack_u64(&u) == UINT64_MAX - 1);
    expect(unpack_str(&u), "text");
    assert_false(u.bad);
    assert_int_equal(unpack_u8(&u), 0);
    assert_true(u.bad);
    for (size_t n = 0; n < b.n; n++) { /* every truncation is noticed */
        u = (struct unpack){str_sub(buf_str(&b), 0, n), false};
        (void)unpack_u8(&u), (void)unpack_u16(&u), (void)unpack_u32(&u), (void)unpack_u64(&u),
            (void)unpack_str(&u);
        assert_true(u.bad);
    }
    buf_release(&b);
}

static void json(void **state)
{
    struct buf b = {0};
    struct json_out j = {&b, false};
    json_open(&j, NULL, '{');
    json_str(&j, "a", STR("q\"\\\n\x01\xc3\xa9\xff\xed\xa0\x80\xc0\x80"));
    json_text(&j, "absent", NULL);
    json_num(&j, "n", -5);
    json_open(&j, "list", '[');
    json_bool(&j, NULL, true);
    json_open(&j, NULL, '{');
    json_close(&j, '}');
    json_close(&j, ']');
    json_close(&j, '}');
    expect(buf_str(&b), "{\"a\":"
                        "\"q\\\"\\\\\\u000a\\u0001\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                        "\xef\xbf\xbd\xef\xbf\xbd\","
                        "\"n\":-5,\"list\":[true,{}]}");
    buf_release(&b);
}

static void logfmt(void **state)
{
    struct buf b = {0};
    log_append_field(&b, LOG_TEXT("plain", "value"));
    log_append_field(&b, LOG_TEXT("empty", ""));
    log_append_field(&b, LOG_TEXT("text", "a \"b\"=\\\n\x1b[31m"));
    log_append_field(&b, LOG_NUM("n", -3));
    expect(buf_str(&b), " plain=value empty=\"\" text=\"a \\\"b\\\"=\\\\\\n\\x1b[31m\" n=-3");
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cutting), cmocka_unit_test(comparing), cmocka_unit_test(numbers),
        cmocka_unit_test(growing), cmocka_unit_test(codecs),    cmocka_unit_test(packing),
        cmocka_unit_test(json),    cmocka_unit_test(logfmt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
