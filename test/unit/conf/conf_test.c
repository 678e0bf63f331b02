/* The configuration file: every kind of mistake has a line number and a sentence; the written sample is read
 * back. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/conf.h"

static void expect_mistake(const char *text, const char *wanted)
{
    struct conf c;
    struct buf why = {0};
    enum err e = conf_parse(str_of(text), "k.conf", &c, &why);
    assert_int_equal(e, ERR_MALFORMED);
    if (str_find(buf_str(&why), str_of(wanted)) == SIZE_MAX)
        fail_msg("\"%s\" lacks \"%s\"", buf_cstr(&why), wanted);
    buf_release(&why);
}

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"hostnam = x", "k.conf:1: unknown option \"hostnam\"; did you mean hostname?"},
        {"\n\nzzzzzzzzzzzz = 1", "k.conf:3: unknown option"},
        {"hostname", "expected \"option = value\""},
        {"hostname = a\nhostname = b", "k.conf:2: hostname was given in line 1 already"},
        {"hostname = a..b", "is not a domain name"},
        {"data_directory = var", "is not an absolute path"},
        {"resolver = 127.0.0.1", "is not an address with a port"},
        {"resolver = [::1]", "is not an address with a port"},
        {"resolver = 127.0.0.1:65536", "is not an address with a port"},
        {"listen = 127.0.0.1:25 nonsense", "\"nonsense\" is not an address with a port"},
        {"proxy_networks = 10.0.0.0/33", "is not a network"},
        {"source_address = 1.2.3", "is not an IP address"},
        {"smtp_port = 0", "0 is out of range: 1 to 65535"},
        {"smtp_port = 99999999999999999999", "is not a number"},
        {"smtp_port = -1", "is not a number"},
        {"queue_lifetime = 5", "is not a duration"},
        {"queue_lifetime = 9999999999999999999d", "is not a duration"},
        {"max_message_size = 1TB", "is not a size"},
        {"max_message_size = 1B", "out of range: 1KiB to"},
        {"resolver_trusted = true", "is neither yes nor no"},
        {"insecure_mx = never", "is none of: dane encrypt opportunistic"},
        {"retry_schedule = 1min x", "\"x\" is not a duration"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_mistake(rows[i].text, rows[i].wanted);
    expect_mistake("a = 1\nb = 2", "k.conf:2: unknown option \"b\"");
}

static void values_arrive(void **state)
{
    struct conf c;
    struct buf why = {0};
    assert_int_equal(
        conf_parse(
            STR("# a comment\nhostname = mx.example # mine\nlisten = 127.0.0.1:2525\nlisten = [::1]:2525\n"
                "data_directory = /d\nretry_schedule = 5s 1min\ninsecure_mx = encrypt\r\n"
                "resolver_trusted = yes\nmax_header_size = 8 KiB\n"),
            "k.conf", &c, &why),
        OK);
    assert_string_equal(c.hostname, "mx.example");
    assert_string_equal(c.run_directory, "/d/run");
    assert_int_equal(c.listen.n, 2);
    assert_string_equal(c.listen.v[1], "[::1]:2525");
    assert_int_equal(c.retry_schedule.n, 2);
    assert_int_equal(c.retry_schedule.v[1], 60000);
    assert_int_equal(c.insecure_mx, CONF_INSECURE_MX_ENCRYPT);
    assert_true(c.resolver_trusted);
    assert_int_equal(c.max_header_size, 8192);
    assert_int_equal(c.queue_lifetime, INT64_C(5) * 86400000);
    conf_release(&c);
}

static void sample_and_show_read_back(void **state)
{
    struct conf standard, again;
    struct buf sample = {0}, bare = {0}, shown = {0}, reshown = {0}, why = {0};
    conf_default(&standard);
    conf_show(&standard, &shown);
    conf_sample(&sample);
    struct str rest = buf_str(&sample);
    while (rest.n) { /* the sample with its option lines switched on */
        struct str line = str_cut(&rest, '\n');
        bool option = str_starts(line, STR("#")) && !str_starts(line, STR("# "));
        if (option)
            buf_printf(&bare, "%.*s\n", STR_ARG(str_from(line, 1)));
    }
    assert_int_equal(conf_parse(buf_str(&bare), "sample", &again, &why), OK);
    conf_show(&again, &reshown);
    assert_string_equal(buf_cstr(&shown), buf_cstr(&reshown));
    conf_release(&again);
    assert_int_equal(conf_parse(buf_str(&shown), "shown", &again, &why), OK);
    conf_release(&again);
    conf_release(&standard);
    buf_release(&sample), buf_release(&bare), buf_release(&shown), buf_release(&reshown), buf_release(&why);
}

static void missing_file_is_an_error(void **state)
{
    struct conf c;
    struct buf why = {0};
    assert_int_equal(conf_load("/nonexistent/kedge.conf", &c, &why), ERR_NOT_FOUND);
    assert_non_null(strstr(buf_cstr(&why), "/nonexistent/kedge.conf"));
    buf_release(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(values_arrive),
        cmocka_unit_test(sample_and_show_read_back),
        cmocka_unit_test(missing_file_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
