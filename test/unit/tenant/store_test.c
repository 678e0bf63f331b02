/* The directory's disk fails for a while. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>

#include "fixture.h"

static bool is_failing;

/* In place of the C library's, for LMDB, too. */
int fdatasync(int fd)
{
    char link[64], path[512];
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    if (!is_failing || !strstr(path, "data.mdb"))
        return next(fd);
    errno = ENOSPC;
    return -1;
}

static bool is_level(struct fixture *f)
{
    good(f, "status", "{}");
    return json_integer_value(json_object_get(f->result, "epoch")) ==
           json_integer_value(json_object_get(f->result, "directory_epoch"));
}

static void test_the_directory_catches_up_by_itself(void **state)
{
    struct fixture *f = *state;
    good(f, "tenant.add", "{'tenant': 'acme'}");
    assert_true(is_level(f));
    is_failing = true;
    assert_int_not_equal(call(f, "tenant.add", "{'tenant': 'beta'}"), OK);
    if (!strstr(buf_cstr(&f->why), "the change is stored, but the running daemons do not see it yet"))
        fail_msg("%s", buf_cstr(&f->why));
    good(f, "tenant.list", "{}"); /* who only asks has no part in it */
    assert_int_equal(json_array_size(f->result), 2);
    assert_false(is_level(f));
    is_failing = false;
    good(f, "tenant.list", "{}");
    assert_true(is_level(f));
}

int main(void)
{
    log_init("test", LOG_ERROR);
    const struct CMUnitTest tests[] = {TEST(test_the_directory_catches_up_by_itself)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
