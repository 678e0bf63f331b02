#include "spool.h"

#include "queue/layout.h"
#include "queue/record.h"

enum { STAMP = 0x1122334455667788 };

static struct buf make(uint64_t stamp, const char *head, const char *body)
{
    struct buf b = {0};
    uint8_t header[RECORD_HEADER];
    struct record r = {
        .kind = RECORD_MESSAGE, .head = (uint32_t)strlen(head), .body = (uint32_t)strlen(body)};
    memcpy(r.id, "0123456789abcd", QUEUE_ID);
    r.check = crc32c(crc32c(0, head, strlen(head)), body, strlen(body));
    record_write_header(&r, stamp, header);
    buf_append(&b, header, sizeof header);
    buf_add(&b, str_of(head));
    buf_add(&b, str_of(body));
    while (b.n % RECORD_ALIGN)
        buf_add_char(&b, 0);
    return b;
}

static void round_trip(void **state)
{
    (void)state;
    struct record r;
    struct buf b = make(STAMP, "envelope", "content");
    assert_int_equal(record_parse(buf_str(&b), STAMP, &r), RECORD_FOUND);
    assert_int_equal(r.kind, RECORD_MESSAGE);
    assert_string_equal(r.id, "0123456789abcd");
    assert_int_equal(r.head, 8);
    assert_int_equal(r.body, 7);
    assert_int_equal(record_size(&r), b.n);
    buf_release(&b);
}

static void every_changed_octet_is_seen(void **state)
{
    (void)state;
    struct record r;
    struct buf b = make(STAMP, "envelope", "content");
    for (size_t at = 0; at < RECORD_HEADER + 15; at++) {
        b.p[at] = (char)(b.p[at] ^ 0x20);
        assert_int_not_equal(record_parse(buf_str(&b), STAMP, &r), RECORD_FOUND);
        b.p[at] = (char)(b.p[at] ^ 0x20);
    }
    assert_int_equal(record_parse(buf_str(&b), STAMP, &r), RECORD_FOUND);
    buf_release(&b);
}

static void another_use_of_the_file_is_not_a_record(void **state)
{
    (void)state;
    struct record r;
    struct buf b = make(STAMP + 1, "envelope", "content");
    assert_int_equal(record_parse(buf_str(&b), STAMP, &r), RECORD_NONE);
    assert_int_equal(record_scan(buf_str(&b), STAMP, 0), SIZE_MAX);
    buf_release(&b);
}

static void a_part_is_not_a_record(void **state)
{
    (void)state;
    struct record r;
    struct buf b = make(STAMP, "envelope", "content");
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(record_parse(str_make(b.p, n), STAMP, &r),
                         n < RECORD_HEADER ? RECORD_NONE : RECORD_MORE);
    buf_release(&b);
}

static void scan_finds_the_next(void **state)
{
    (void)state;
    struct buf b = {0}, one = make(STAMP, "e", "c");
    for (int i = 0; i < 5; i++)
        buf_append(&b, "################", 16);
    buf_add(&b, buf_str(&one));
    assert_int_equal(record_scan(buf_str(&b), STAMP, 0), 80);
    assert_int_equal(record_scan(buf_str(&b), STAMP, 80), 80);
    assert_int_equal(record_scan(buf_str(&b), STAMP, 81), SIZE_MAX);
    buf_release(&b);
    buf_release(&one);
}

static void names_of_segments(void **state)
{
    (void)state;
    struct segment_name s = {.producer = "smtpd", .number = 0x19a, .stamp = UINT64_MAX}, back;
    char text[SEGMENT_NAME];
    segment_name_format(&s, text);
    assert_string_equal(text, "smtpd.000000000000019a.ffffffffffffffff");
    assert_true(segment_name_parse(str_of(text), &back));
    assert_memory_equal(&s, &back, sizeof s);
    s.abandoned = true, s.end = 4096;
    segment_name_format(&s, text);
    assert_true(segment_name_parse(str_of(text), &back));
    assert_true(back.abandoned);
    assert_int_equal(back.end, 4096);
    static const char *const bad[] = {"",
                                      "smtpd",
                                      "smtpd.19a.ffffffffffffffff",
                                      "smtpd.000000000000019a",
                                      ".000000000000019a.ffffffffffffffff",
                                      "smtpd.000000000000019a.fffffffffffffffg",
                                      "smtpd.000000000000019a.ffffffffffffffff.",
                                      "a-producer-with-a-very-long-name.000000000000019a.ffffffffffffffff",
                                      "smtpd.000000000000019a.ffffffffffffffff.0000000000001000.x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(segment_name_parse(str_of(bad[i]), &back));
}

static void ids(void **state)
{
    (void)state;
    assert_true(queue_id_is_valid(STR("0mk3zz89abcdef")));
    assert_false(queue_id_is_valid(STR("0mk3zz89abcde")));
    assert_false(queue_id_is_valid(STR("0mk3zz89abcdeF")));
    assert_false(queue_id_is_valid(STR("../../etc/pass")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(every_changed_octet_is_seen),
        cmocka_unit_test(a_part_is_not_a_record),
        cmocka_unit_test(another_use_of_the_file_is_not_a_record),
        cmocka_unit_test(scan_finds_the_next),
        cmocka_unit_test(names_of_segments),
        cmocka_unit_test(ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
