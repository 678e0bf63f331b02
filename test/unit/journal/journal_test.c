/* Journal files: days, retention, reading back, torn lines, losses that are counted and told. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/journal.h"

static char dir[128];

static int fresh(void **state)
{
    (void)snprintf(dir, sizeof dir, "/tmp/kedge-journal-test-%d", (int)getpid());
    return 0;
}

static int clean(void **state)
{
    struct buf command = {0};
    buf_printf(&command, "rm -rf %s", dir);
    int r = system(buf_cstr(&command)); // NOLINT(cert-env33-c): a fixed command
    buf_release(&command);
    clock_set_for_test(0);
    return r;
}

static int64_t retention_ms;

static struct journal *open_journal(const char *producer, size_t buffer)
{
    struct buf why = {0};
    struct journal *j = journal_open(
        dir, producer, &(struct journal_options){.retention_ms = retention_ms, .buffer = buffer}, &why);
    if (!j)
        fail_msg("%s", buf_cstr(&why));
    return j;
}

static bool collect(void *ctx, struct str line)
{
    struct buf *all = ctx;
    buf_printf(all, "%.*s|", STR_ARG(line));
    return true;
}

static void expect_lines(const char *needle, int64_t from, const char *wanted)
{
    struct buf all = {0}, why = {0};
    assert_int_equal(journal_read(dir, from, str_of(needle), collect, &all, &why), OK);
    assert_string_equal(buf_cstr(&all), wanted);
    buf_release(&all), buf_release(&why);
}

static void lines_come_back(void **state)
{
    struct journal *a = open_journal("deliver", 0), *b = open_journal("smtpd", 0);
    journal_append(a, STR("{\"queue_id\":\"one\",\"n\":1}"));
    journal_append(b, STR("{\"queue_id\":\"one\",\"n\":2}"));
    journal_append(b, STR("{\"queue_id\":\"two\"}"));
    journal_append(NULL, STR("{}"));
    journal_flush(a);
    journal_flush(b);
    expect_lines("\"one\"", 0, "{\"queue_id\":\"one\",\"n\":1}|{\"queue_id\":\"one\",\"n\":2}|");
    expect_lines("", 0,
                 "{\"queue_id\":\"one\",\"n\":1}|{\"queue_id\":\"one\",\"n\":2}|{\"queue_id\":\"two\"}|");
    expect_lines("three", 0, "");
    expect_lines("", clock_wall() + 2 * 86400000, "");
    journal_close(a);
    journal_close(b);
    struct buf event = {0};
    struct json_out w;
    clock_set_for_test(1795465360123);
    journal_begin(&w, &event, "x");
    json_close(&w, '}');
    assert_string_equal(buf_cstr(&event), "{\"time\":\"2026-11-23T20:22:40.123Z\",\"event\":\"x\"}");
    buf_release(&event);
}

static void old_days_go(void **state)
{
    int64_t start = 1795465360123; /* in the evening */
    retention_ms = 2 * INT64_C(86400000);
    for (int day = 0; day < 5; day++) {
        clock_set_for_test(start + day * INT64_C(86400000));
        struct journal *j = open_journal("smtpd", 0);
        struct buf line = {0};
        buf_printf(&line, "{\"day\":%d}", day);
        journal_append(j, buf_str(&line));
        journal_close(j);
        buf_release(&line);
    }
    expect_lines("", 0, "{\"day\":2}|{\"day\":3}|{\"day\":4}|");
    retention_ms = 3600000; /* less than a day, and by whoever writes next */
    struct journal *j = open_journal("deliver", 0);
    journal_append(j, STR("{\"day\":5}"));
    journal_close(j);
    expect_lines("", 0, "{\"day\":5}|{\"day\":4}|");
    retention_ms = 0;
}

static void a_torn_line_harms_no_other(void **state)
{
    struct journal *j = open_journal("smtpd", 0);
    journal_append(j, STR("{\"n\":1}"));
    journal_close(j);
    char date[CLOCK_TEXT];
    clock_iso(clock_wall(), date);
    struct buf path = {0};
    buf_printf(&path, "%s/smtpd-%.10s.jsonl", dir, date);
    FILE *f = fopen(buf_cstr(&path), "a");
    assert_non_null(f);
    (void)fputs("{\"n\":2,\"cut", f);
    (void)fclose(f);
    expect_lines("", 0, "{\"n\":1}|");
    j = open_journal("smtpd", 0);
    journal_append(j, STR("{\"n\":3}"));
    journal_close(j);
    expect_lines("", 0, "{\"n\":1}|{\"n\":3}|");
    buf_release(&path);
}

static void losses_are_counted_and_told(void **state)
{
    struct journal *j = open_journal("smtpd", 0);
    journal_append(j, STR("{\"n\":1}"));
    journal_flush(j);
    struct rlimit before, none = {8, RLIM_INFINITY}; /* the disk is full from here on */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none.rlim_max = before.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    journal_append(j, STR("{\"n\":2}"));
    journal_append(j, STR("{\"n\":3}"));
    journal_flush(j);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(journal_dropped(j), 2);
    journal_append(j, STR("{\"n\":4}"));
    journal_close(j);
    expect_lines("\"n\":", 0, "{\"n\":1}|{\"n\":4}|");
    struct buf told = {0};
    assert_int_equal(journal_read(dir, 0, STR("events-dropped"), collect, &told, NULL), OK);
    assert_non_null(strstr(buf_cstr(&told), "\"count\":2"));
    buf_release(&told);
}

static void a_full_buffer_drops(void **state)
{
    struct journal *j = open_journal("smtpd", 16);
    journal_append(j, STR("{\"long\":\"0123456789\"}"));
    assert_int_equal(journal_dropped(j), 1);
    journal_close(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_come_back, fresh, clean),
        cmocka_unit_test_setup_teardown(old_days_go, fresh, clean),
        cmocka_unit_test_setup_teardown(a_torn_line_harms_no_other, fresh, clean),
        cmocka_unit_test_setup_teardown(losses_are_counted_and_told, fresh, clean),
        cmocka_unit_test_setup_teardown(a_full_buffer_drops, fresh, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
