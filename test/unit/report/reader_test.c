/* The process that reads reports: what it brings, and that it has nothing to lose. This program is its own
 * reader, as kedge-control is. */
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report/confine_priv.h"
#include "report/reader.h"

static void a_report_is_brought(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf packed = {0}, why = {0};
    struct tlsrpt r;
    gzip(str_of(report_json), &packed); /* with a time and a name, whose readers could open files */
    for (int i = 0; i < 3; i++) {
        if (report_read(buf_str(&packed), &a, &r, &why))
            fail_msg("%s", buf_cstr(&why));
        assert_true(str_equal(r.organization, STR("X")) && r.npolicy == 1 && r.policy[0].successes == 1);
        assert_true(str_equal(r.policy[0].domain, STR("o.example")));
    }
    arena_release(&a);
    buf_release(&packed);
    buf_release(&why);
}

/* Names that are not ASCII go through tables that must not come from files. */
static void a_name_in_unicode(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf text = {0}, why = {0};
    struct tlsrpt r;
    size_t at = str_find(str_of(report_json), STR("o.example"));
    buf_add(&text, str_sub(str_of(report_json), 0, at));
    buf_add(&text, STR("B\xc3\xbc"
                       "cher."));
    buf_add(&text, str_from(str_of(report_json), at + 2));
    if (report_read(buf_str(&text), &a, &r, &why))
        fail_msg("%s", buf_cstr(&why));
    assert_true(str_equal(r.policy[0].domain, STR("xn--bcher-kva.example")));
    arena_release(&a);
    buf_release(&text);
    buf_release(&why);
}

static void sentences_come_through(void **state)
{
    (void)state;
    static const struct {
        const char *input, *why;
    } rows[] = {
        {"{", "it is no JSON: line 1"},
        {"{\"organization-name\":\"X\",\"report-id\":\"1\",\"date-range\":{\"start-datetime\":"
         "\"\xc3\xbc\\u001b[2J\"}}",
         "start-datetime '???[2J' is no time"},
        {"nothing", "no report attached"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {0};
        struct buf why = {0};
        struct tlsrpt r;
        enum err e = report_read(str_of(rows[i].input), &a, &r, &why);
        if (e != ERR_MALFORMED || !strstr(buf_cstr(&why), rows[i].why))
            fail_msg("%s: %s, '%s'", rows[i].input, err_text(e), buf_cstr(&why));
        arena_release(&a);
        buf_release(&why);
    }
}

/* As much JSON as is allowed, of the kind that takes most memory: an end with a sentence, whatever it is. */
static void the_largest_input_ends(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf in = {0}, why = {0};
    struct tlsrpt r;
    buf_add(&in, STR("{\"x\":["));
    while (in.n < (8 << 20) - 16)
        buf_add(&in, STR("{},"));
    buf_add(&in, STR("{}]}"));
    enum err e = report_read(buf_str(&in), &a, &r, &why);
    assert_true(e == ERR_MALFORMED && why.n > 0);
    arena_release(&a);
    buf_release(&in);
    buf_release(&why);
}

static void try_open(void)
{
    (void)!open("/etc/passwd", O_RDONLY);
}
static void try_socket(void)
{
    (void)!socket(AF_INET, SOCK_STREAM, 0);
}
static void try_fork(void)
{
    if (fork() == 0)
        _exit(0);
}
static void try_exec(void)
{
    (void)execl("/bin/true", "true", NULL);
}
static void try_kill(void)
{
    (void)kill(getppid(), SIGCONT);
}
static void try_code(void)
{
    (void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void try_memory(void)
{
    free(malloc(100000));
}

/* What a reader that was taken over would try first ends it. */
static void nothing_is_left_to_it(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*attempt)(void);
        bool dies;
    } rows[] = {
        {"open", try_open, true},      {"socket", try_socket, true}, {"fork", try_fork, true},
        {"exec", try_exec, true},      {"kill", try_kill, true},     {"executable memory", try_code, true},
        {"memory", try_memory, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            if (!report_confine())
                _exit(9);
            rows[i].attempt();
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
        if (died != rows[i].dies || (!died && status != 0))
            fail_msg("%s: status %x", rows[i].name, (unsigned)status);
    }
}

int main(int argc, char **argv)
{
    report_reader_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_is_brought),    cmocka_unit_test(a_name_in_unicode),
        cmocka_unit_test(sentences_come_through), cmocka_unit_test(the_largest_input_ends),
        cmocka_unit_test(nothing_is_left_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
