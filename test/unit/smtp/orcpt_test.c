/* ORCPT: what is valid, what is kept of it, and how it is said again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "smtp/orcpt.h"

#define A62 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define U8 "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
#define A496 A62 A62 A62 A62 A62 A62 A62 A62

static void valid_values(void **state)
{
    (void)state;
    static const struct {
        const char *value, *kept, *seven; /* kept NULL: not valid; seven: said without SMTPUTF8 */
    } rows[] = {
        {"rfc822;a@b", "rfc822;a@b", "rfc822;a@b"},
        {"rfc822;a+2Bb+3Dc@d", "rfc822;a+b=c@d", "rfc822;a+2Bb+3Dc@d"},
        {"rfc822;+C3+BC@d", "rfc822;\xc3\xbc@d", "rfc822;+C3+BC@d"},
        {"x+2B;a+2B", "x+2B;a+", "x+2B;a+2B"}, /* the type is no xtext */
        {"rfc822;\\x{FC}@d", "rfc822;\\x{FC}@d", "rfc822;\\x{FC}@d"},
        {"rfc822;\xc3\xbc@d", NULL, NULL},
        {"rfc822;a+2b@d", NULL, NULL},
        {"rfc822;a+0Ab@d", NULL, NULL},
        {"rfc822;", NULL, NULL},
        {"rfc822", NULL, NULL},
        {";a@b", NULL, NULL},
        {"x\xc3\xbc;a@b", NULL, NULL},
        /* RFC 6533 section 3: HEXPOINT and QUCHAR */
        {"utf-8;a@d", "utf-8;a@d", "utf-8;a@d"},
        {"UTF-8;\xc3\xbc@d", "UTF-8;\xc3\xbc@d", "UTF-8;\\x{FC}@d"},
        {"utf-8;\xe2\x82\xac\xf0\x9f\x93\xa7@d", "utf-8;\xe2\x82\xac\xf0\x9f\x93\xa7@d",
         "utf-8;\\x{20AC}\\x{1F4E7}@d"},
        {"utf-8;a\\x{2B}b\\x{3d}\\x{5C}\\x{20}@\xc3\xbc", "utf-8;a\\x{2B}b\\x{3d}\\x{5C}\\x{20}@\xc3\xbc",
         "utf-8;a\\x{2B}b\\x{3d}\\x{5C}\\x{20}@\\x{FC}"},
        {"utf-8;\\x{80}\\x{7FF}\\x{D7FF}\\x{E000}\\x{10FFFF}",
         "utf-8;\\x{80}\\x{7FF}\\x{D7FF}\\x{E000}\\x{10FFFF}",
         "utf-8;\\x{80}\\x{7FF}\\x{D7FF}\\x{E000}\\x{10FFFF}"},
        {"utf-8;", NULL, NULL},
        {"utf-8;a+2B@d", NULL, NULL},
        {"utf-8;a=b", NULL, NULL},
        {"utf-8;\xc3", NULL, NULL},
        {"utf-8;\xc0\x80", NULL, NULL},
        {"utf-8;\xed\xa0\x80", NULL, NULL},
        {"utf-8;\\", NULL, NULL},
        {"utf-8;\\a", NULL, NULL},
        {"utf-8;\\x{", NULL, NULL},
        {"utf-8;\\x{}", NULL, NULL},
        {"utf-8;\\x{F}", NULL, NULL},
        {"utf-8;\\x{FC", NULL, NULL},
        {"utf-8;\\x{FG}", NULL, NULL},
        {"utf-8;\\x{0FC}", NULL, NULL},
        {"utf-8;\\x{41}", NULL, NULL},
        {"utf-8;\\x{0A}", NULL, NULL},
        {"utf-8;\\x{10}", NULL, NULL},
        {"utf-8;\\x{D800}", NULL, NULL},
        {"utf-8;\\x{110000}", NULL, NULL},
        {"utf-8;\\x{1000000}", NULL, NULL},
        /* 500 octets, and what becomes longer than that */
        {"x;aa" A496, "x;aa" A496, "x;aa" A496},
        {"x;aaa" A496, NULL, NULL},
        {"utf-8;" A62 A62 A62 A62 A62 A62 A62 U8 U8, "utf-8;" A62 A62 A62 A62 A62 A62 A62 U8 U8, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str value = str_of(rows[i].value);
        struct buf kept = {0}, said = {0}, seven = {0};
        if (smtp_orcpt_is_valid(value) != (rows[i].kept != NULL))
            fail_msg("%s is %svalid", rows[i].value, rows[i].kept ? "not " : "");
        if (!rows[i].kept)
            continue;
        smtp_orcpt_decode(value, &kept);
        assert_string_equal(buf_cstr(&kept), rows[i].kept);
        assert_true(smtp_orcpt_encode(buf_str(&kept), true, &said));
        assert_string_equal(buf_cstr(&said), rows[i].value);
        assert_int_equal(smtp_orcpt_encode(buf_str(&kept), false, &seven), rows[i].seven != NULL);
        if (rows[i].seven)
            assert_string_equal(buf_cstr(&seven), rows[i].seven);
        buf_release(&kept);
        buf_release(&said);
        buf_release(&seven);
    }
}

/* What an older version kept may have no form: it is not said at all. */
static void nothing_unfit_is_said(void **state)
{
    (void)state;
    static const char *const rows[] = {"utf-8;a b@c", "utf-8;a+b@c", "utf-8;\xff", "rfc822", "rfc822;", ";a"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf said = {0};
        assert_false(smtp_orcpt_encode(str_of(rows[i]), true, &said));
        buf_release(&said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_values),
        cmocka_unit_test(nothing_unfit_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
