/* Requests over a real Unix socket: results, progress, errors, unknown verbs, bad JSON, a second server, a
 * stale socket. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "ctl/ctl.h"
#include "ctl/wire.h"

static char path[128];

static enum err echo(void *ctx, const struct ctl_peer *peer, json_t *args, struct ctl_reply *reply,
                     struct buf *why)
{
    assert_int_equal(peer->uid, geteuid());
    assert_int_equal(peer->pid, getpid());
    ctl_reply_progress(reply, json_pack("{s:i}", "done", 1));
    ctl_reply_progress(reply, json_pack("{s:i}", "done", 2));
    ctl_reply_result(reply, json_incref(json_object_get(args, "text")));
    return OK;
}

static enum err fail_busy(void *ctx, const struct ctl_peer *peer, json_t *args, struct ctl_reply *reply,
                          struct buf *why)
{
    buf_set(why, "because %s", (const char *)ctx);
    return ERR_BUSY;
}

enum { LINES_MOST = 1000000 };
static atomic_int lines_until_gone;

/* Talks until nobody hears it. */
static enum err chat(void *ctx, const struct ctl_peer *peer, json_t *args, struct ctl_reply *reply,
                     struct buf *why)
{
    int n = 1;
    while (ctl_reply_progress(reply, json_pack("{s:i}", "done", n)) && n < LINES_MOST)
        n++;
    assert_false(ctl_reply_progress(reply, json_object()) && n < LINES_MOST);
    atomic_store(&lines_until_gone, n);
    return OK;
}

static const struct ctl_verb verbs[] = {
    {"echo", echo, true}, {"fail", fail_busy, false}, {"chat", chat, true}};

static struct ctl_server *start(void)
{
    struct ctl_server *s = NULL;
    struct buf why = {0};
    static char ctx[] = "of the context";
    if (ctl_server_start(path, 0600, verbs, 3, ctx, &s, &why) != OK)
        fail_msg("%s", buf_cstr(&why));
    return s;
}

static void count_progress(void *ctx, json_t *line)
{
    *(int *)ctx += (int)json_integer_value(json_object_get(line, "done"));
}

static enum err call(json_t *request, int *progress, json_t **result, struct buf *why)
{
    enum err e = ctl_call(path, request, progress ? count_progress : NULL, progress, 10000, result, why);
    json_decref(request);
    return e;
}

static void results_and_errors(void **state)
{
    struct ctl_server *s = start();
    struct buf why = {0};
    json_t *result = NULL;
    int progress = 0;
    assert_int_equal(
        call(json_pack("{s:s,s:s}", "verb", "echo", "text", "h\xc3\xa9"), &progress, &result, &why), OK);
    assert_string_equal(json_string_value(result), "h\xc3\xa9");
    assert_int_equal(progress, 3);
    json_decref(result);
    assert_int_equal(call(json_pack("{s:s}", "verb", "fail"), NULL, &result, &why), ERR_BUSY);
    assert_string_equal(buf_cstr(&why), "because of the context");
    assert_int_equal(call(json_pack("{s:s}", "verb", "nothing"), NULL, &result, &why), ERR_USAGE);
    assert_int_equal(call(json_pack("[i]", 1), NULL, &result, &why), ERR_MALFORMED);
    buf_release(&why);
    ctl_server_stop(s);
    assert_int_equal(call(json_pack("{s:s}", "verb", "echo"), NULL, &result, &why), ERR_NOT_FOUND);
    buf_release(&why);
}

static void many_requests_on_one_connection(void **state)
{
    struct ctl_server *s = start();
    int fd;
    assert_int_equal(ctl_connect(path, &fd, NULL), OK);
    static const char two[] = "{\"verb\":\"fail\"}\n{\"verb\":\"fail\"}\nnot json\n";
    assert_int_equal(write(fd, two, sizeof two - 1), sizeof two - 1);
    struct ctl_reader in = {.fd = fd, .cancel = -1};
    struct str line;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ctl_read_line(&in, deadline_in(10000), &line, NULL), OK);
        assert_true(str_find(line, STR("\"ok\":false")) != SIZE_MAX);
    }
    ctl_reader_release(&in);
    ctl_server_stop(s); /* with the connection still open */
    file_close(&fd);
}

static void a_handler_sees_that_its_caller_left(void **state)
{
    struct ctl_server *s = start();
    int fd;
    assert_int_equal(ctl_connect(path, &fd, NULL), OK);
    static const char request[] = "{\"verb\":\"chat\"}\n";
    assert_int_equal(write(fd, request, sizeof request - 1), sizeof request - 1);
    struct ctl_reader in = {.fd = fd, .cancel = -1};
    struct str line;
    assert_int_equal(ctl_read_line(&in, deadline_in(10000), &line, NULL), OK);
    ctl_reader_release(&in);
    file_close(&fd);
    ctl_server_stop(s); /* waits for the handler */
    assert_in_range(atomic_load(&lines_until_gone), 1, LINES_MOST - 1);
}

static void only_one_server(void **state)
{
    struct ctl_server *s = start(), *second = NULL;
    struct buf why = {0};
    assert_int_equal(ctl_server_start(path, 0600, verbs, 2, NULL, &second, &why), ERR_BUSY);
    ctl_server_stop(s);
    int fd = open(path, O_CREAT | O_WRONLY, 0600); /* something dead in the way */
    file_close(&fd);
    s = start();
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    ctl_server_stop(s);
    buf_release(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_and_errors),
        cmocka_unit_test(many_requests_on_one_connection),
        cmocka_unit_test(a_handler_sees_that_its_caller_left),
        cmocka_unit_test(only_one_server),
    };
    (void)snprintf(path, sizeof path, "/tmp/kedge-ctl-test-%d.sock", (int)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
