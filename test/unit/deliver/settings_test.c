/* What deliver makes of the configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "deliver/settings.h"

static void the_oldest_tls_where_clear_text_would_do(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum tls_strength strength;
    } rows[] = {
        {"", TLS_STRENGTH_MODERN},
        {"tls_min_version_none = 1.2\n", TLS_STRENGTH_MODERN},
        {"tls_min_version_none = 1.1\n", TLS_STRENGTH_TLS_1_1},
        {"tls_min_version_none = 1.0\n", TLS_STRENGTH_TLS_1_0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct conf conf = {0};
        struct buf text = {0}, why = {0};
        buf_set(&text, "hostname = edge.example\n%s", rows[i].text);
        assert_int_equal(conf_parse(buf_str(&text), "test", &conf, &why), OK);
        struct settings *s = settings_new(&conf);
        assert_int_equal(s->strength_none, rows[i].strength);
        settings_free(s);
        conf_release(&conf);
        buf_release(&text);
        buf_release(&why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_tls_where_clear_text_would_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
