#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "smtpd/settings.h"

static void networks(void **state)
{
    (void)state;
    struct conf c = {0};
    struct buf why = {0};
    struct smtpd_settings *s;
    struct addr a;
    assert_int_equal(conf_parse(STR("hostname = edge.example\nproxy_networks = 192.0.2.0/24 2001:db8::/32\n"),
                                "test", &c, &why),
                     OK);
    assert_int_equal(smtpd_settings_new(&c, &s, &why), OK);
    assert_true(str_equal(s->hostname, STR("edge.example")));
    static const struct {
        const char *ip;
        bool is_proxy;
    } rows[] = {{"192.0.2.77", true}, {"192.0.3.1", false}, {"2001:db8:1::1", true}, {"2001:db9::1", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(addr_parse_ip(str_of(rows[i].ip), &a));
        assert_int_equal(smtpd_networks_contain(&s->proxies, &a), rows[i].is_proxy);
        assert_false(smtpd_networks_contain(&s->normalising, &a));
    }
    smtpd_settings_free(s);
    conf_release(&c);
    buf_release(&why);
}

static void a_network_that_is_none_is_named(void **state)
{
    (void)state;
    static char bad[] = "192.0.2.1/24";
    char *list[] = {bad};
    struct conf c = {.hostname = bad, .normalise_networks = {.v = list, .n = 1}};
    struct buf why = {0};
    struct smtpd_settings *s;
    assert_int_equal(smtpd_settings_new(&c, &s, &why), ERR_MALFORMED);
    assert_non_null(strstr(buf_cstr(&why), "normalise_networks: 192.0.2.1/24"));
    buf_release(&why);
}

static void a_postmaster_is_a_mailbox(void **state)
{
    (void)state;
    static char own_name[] = "edge.example";
    static const struct {
        const char *mailbox;
        enum err e;
    } rows[] = {{"", OK}, {"ops@any.example", OK}, {"ops", ERR_MALFORMED}, {"a@b@c", ERR_MALFORMED}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *mailbox = str_dup(str_of(rows[i].mailbox));
        struct conf c = {.hostname = own_name, .postmaster = mailbox};
        struct buf why = {0};
        struct smtpd_settings *s = NULL;
        assert_int_equal(smtpd_settings_new(&c, &s, &why), rows[i].e);
        assert_true(!why.n == !rows[i].e);
        if (s)
            smtpd_settings_free(s);
        buf_release(&why);
        free(mailbox);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(networks),
                                       cmocka_unit_test(a_network_that_is_none_is_named),
                                       cmocka_unit_test(a_postmaster_is_a_mailbox)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
