#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "net/proxy.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\x00\x02\x01\xc6\x33\x64\x02\x30\x39\x00\x19" /* 192.0.2.1:12345 to 198.51.100.2:25 */
#define V6                                                                                                   \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x30\x39\x00\x19"

struct row {
    const char *what;
    struct str bytes;
    enum proxy_result result;
    size_t length;
    const char *source, *destination;
};

static const struct row rows[] = {
    {"IPv4", STR(SIGNATURE "\x21\x11\x00\x0c" V4), PROXY_OK, 28, "192.0.2.1:12345", "198.51.100.2:25"},
    {"IPv6", STR(SIGNATURE "\x21\x21\x00\x24" V6), PROXY_OK, 52, "[2001:db8::1]:12345", "[2001:db8::2]:25"},
    {"mail behind it", STR(SIGNATURE "\x21\x11\x00\x0c" V4 "EHLO x\r\n"), PROXY_OK, 28, "192.0.2.1:12345",
     "198.51.100.2:25"},
    {"TLVs behind the addresses", STR(SIGNATURE "\x21\x11\x00\x10" V4 "\x04\x00\x01x"), PROXY_OK, 32,
     "192.0.2.1:12345", "198.51.100.2:25"},
    {"LOCAL", STR(SIGNATURE "\x20\x00\x00\x00"), PROXY_OK, 16, "-", "-"},
    {"LOCAL with addresses", STR(SIGNATURE "\x20\x11\x00\x0c" V4), PROXY_OK, 28, "-", "-"},
    {"unspecified family", STR(SIGNATURE "\x21\x00\x00\x00"), PROXY_OK, 16, "-", "-"},
    {"Unix socket: not ours to know", STR(SIGNATURE "\x21\x31\x00\x01x"), PROXY_OK, 17, "-", "-"},
    {"family that does not exist", STR(SIGNATURE "\x21\x41\x00\x00"), PROXY_BAD, 0, "-", "-"},
    {"protocol that does not exist", STR(SIGNATURE "\x21\x13\x00\x0c" V4), PROXY_BAD, 0, "-", "-"},
    {"version 1", STR("PROXY TCP4 192.0.2.1 198.51.100.2 12345 25\r\n"), PROXY_BAD, 0, "-", "-"},
    {"version 3", STR(SIGNATURE "\x31\x11\x00\x0c" V4), PROXY_BAD, 0, "-", "-"},
    {"command 2", STR(SIGNATURE "\x22\x11\x00\x0c" V4), PROXY_BAD, 0, "-", "-"},
    {"too short for IPv4", STR(SIGNATURE "\x21\x11\x00\x0b" V4), PROXY_BAD, 0, "-", "-"},
    {"too short for IPv6", STR(SIGNATURE "\x21\x21\x00\x0c" V4), PROXY_BAD, 0, "-", "-"},
    {"too long", STR(SIGNATURE "\x21\x11\x10\x01" V4), PROXY_BAD, 0, "-", "-"},
    {"SMTP", STR("EHLO x\r\n"), PROXY_BAD, 0, "-", "-"},
};

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct proxy_header h;
        char source[ADDR_TEXT], destination[ADDR_TEXT];
        enum proxy_result r = proxy_parse(rows[i].bytes.p, rows[i].bytes.n, &h);
        if (r != rows[i].result || h.length != rows[i].length ||
            strcmp(addr_format(&h.source, source), rows[i].source) != 0 ||
            strcmp(addr_format(&h.destination, destination), rows[i].destination) != 0 ||
            (r == PROXY_OK && h.is_local != (rows[i].source[0] == '-')))
            fail_msg("%s: %d %zu %s %s", rows[i].what, r, h.length, source, destination);
    }
}

static void every_beginning_asks_for_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t n = 0; rows[i].result == PROXY_OK && n < rows[i].length; n++) {
            struct proxy_header h;
            assert_int_equal(proxy_parse(rows[i].bytes.p, n, &h), PROXY_MORE);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(every_beginning_asks_for_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
