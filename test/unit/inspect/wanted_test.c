#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "facts.h"
#include "inspect/wanted.h"

/* What is kept of a look at a domain that was protected once. */
static const struct {
    const char *name;
    bool dane, is_allocated, is_named, fails, insecure;
    int what;
} ROWS[] = {
    {"all is well", true, true, false, false, false, SEEN_PROTECTED},
    {"without being told to", false, true, false, false, false, SEEN_PROTECTED},
    {"lost", true, true, false, false, true, SEEN_UNPROTECTED},
    {"switched off", false, true, false, false, true, SEEN_GIVEN_UP},
    {"switched off, and the MX host is gone", false, false, false, false, true, SEEN_GIVEN_UP},
    {"an MX host of somebody else's", false, false, true, false, true, SEEN_UNPROTECTED},
    {"it had one before", false, true, true, false, true, SEEN_GIVEN_UP},
    {"the resolver fails", true, true, false, true, true, SEEN_NOTHING},
    {"the resolver fails, switched off", false, true, false, true, true, SEEN_NOTHING},
};

static void what_is_kept_of_a_look(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct arena a = {0};
        struct facts f;
        make_facts(&f, &a);
        f.dane = ROWS[i].dane;
        f.is_allocated = ROWS[i].is_allocated;
        f.is_named = ROWS[i].is_named;
        if (ROWS[i].insecure)
            f.mx.security = DNS_INSECURE;
        if (ROWS[i].fails) {
            f.mx.status = DNS_ERROR;
            f.mx.error = DNS_ERROR_TIMEOUT;
        }
        struct wanted_seen seen = wanted_seen_of(&f);
        if ((int)seen.what != ROWS[i].what)
            fail_msg("%s: %d", ROWS[i].name, (int)seen.what);
        assert_true(str_equal(seen.domain, f.domain) && seen.now_ms == f.now_ms);
        arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_of_a_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
