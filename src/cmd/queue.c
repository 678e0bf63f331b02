/* kedge queue: looks at the queue and changes it, through a running deliver, or on the files when none runs.
 */
#include "cmd/commands.h"

#include <fcntl.h>
#include <getopt.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/wire.h"
#include "deliver/discard.h"
#include "queue/control.h"

static const char HELP[] =
    "usage: kedge queue VERB [options] [ID]\n"
    "  list [--domain D] [--tenant T] [--held]   messages, oldest first\n"
    "  show ID [--content]                       one message; --content: as it will be sent, and nothing "
    "else\n"
    "  why ID                                    why it is still here, and what to do\n"
    "  retry ID | --all | --domain D             attempt now\n"
    "  hold ID, release ID                       no attempts until released\n"
    "  remove ID                                 discard; nobody is told, the journal remembers\n"
    "  drain [--seconds N]                       retry everything until the queue is empty\n"
    "  --config FILE, --json\n"
    "Goes through kedge-deliver when it runs; otherwise reads the files, and changes them itself.\n"
    "Exit code: 0 done, 1 no such message or it failed, 2 wrong usage.\n";

enum { ANSWER_MS = 600000 };

struct job {
    const struct cli *cli;
    struct conf conf;
    struct arena arena;
    const char *verb, *id;
    const char *folder; /* of the queue */
    bool content;
    json_t *request;
    size_t lines;
    struct journal *journal;
    struct buf why;
};

/* ---- printing ---- */

/* Text of others does not control the terminal. */
static const char *clean(struct job *j, const char *s)
{
    char *copy = arena_cstr(&j->arena, str_of(s ? s : ""));
    for (char *p = copy; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127)
            *p = '?';
    return copy;
}

static const char *member(struct job *j, const json_t *o, const char *name)
{
    return clean(j, json_string_value(json_object_get(o, name)));
}

static json_int_t number(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

static void print_recipient(struct job *j, const json_t *r, bool explained)
{
    printf("    %-9s <%s>", member(j, r, "status"), member(j, r, "address"));
    if (number(r, "attempts"))
        printf("  %lld attempts, last %s", (long long)number(r, "attempts"), member(j, r, "last"));
    printf("\n");
    const char *reason = member(j, r, "reason"), *text = member(j, r, "text"), *code = member(j, r, "code");
    if (*reason || *text)
        printf("              %s%s%s%s%s\n", code, *code ? " " : "", reason, *text && *reason ? ": " : "",
               text);
    if (!explained || !json_object_get(r, "sentence"))
        return;
    printf("              what it means: %s\n", member(j, r, "sentence"));
    if (*member(j, r, "advice"))
        printf("              what to do: %s\n", member(j, r, "advice"));
}

static void print_message(struct job *j, const json_t *m, bool explained)
{
    size_t i;
    const json_t *r;
    printf("%s  %-8s  %s  %lld octets  from <%s>\n", member(j, m, "id"), member(j, m, "state"),
           member(j, m, "received"), (long long)number(m, "octets"), member(j, m, "sender"));
    if (*member(j, m, "tenant"))
        printf("    tenant %s\n", member(j, m, "tenant"));
    json_array_foreach(json_object_get(m, "recipients"), i, r)
    {
        print_recipient(j, r, explained);
    }
    if (strcmp(member(j, m, "state"), "held") == 0)
        printf("    held: kedge queue release %s\n", member(j, m, "id"));
    else if (*member(j, m, "next"))
        printf("    next attempt %s\n", member(j, m, "next"));
}

static bool print_line(void *ctx, json_t *line)
{
    struct job *j = ctx;
    if (j->cli->json) {
        char *text = json_dumps(line, JSON_COMPACT);
        printf("%s%s", j->lines ? ",\n " : "[", text ? text : "null");
        free(text);
    } else if (strcmp(j->verb, "list") == 0) {
        print_message(j, line, false);
    } else {
        printf("%lld messages left, %lld being attempted, %lld held\n", (long long)number(line, "left"),
               (long long)number(line, "active"), (long long)number(line, "held"));
        (void)fflush(stdout);
    }
    j->lines++;
    json_decref(line);
    arena_release(&j->arena);
    return true;
}

/* As a progress callback of ctl_call, which lends its lines. */
static void print_borrowed(void *ctx, json_t *line)
{
    print_line(ctx, json_incref(line));
}

static int print_result(struct job *j, const json_t *result)
{
    if (strcmp(j->verb, "list") == 0) {
        if (j->cli->json)
            printf(j->lines ? "]\n" : "[]\n");
        else if (!j->lines)
            printf("no message\n");
        return EXIT_OK;
    }
    bool drained = strcmp(j->verb, "drain") == 0;
    int code = drained && number(result, "left") > number(result, "held") ? EXIT_FAILED : EXIT_OK;
    if (j->cli->json) {
        char *text = json_dumps(result, JSON_INDENT(2));
        printf(drained && j->lines ? ",\n %s]\n" : drained ? "[%s]\n" : "%s\n", text ? text : "null");
        free(text);
    } else if (strcmp(j->verb, "show") == 0 || strcmp(j->verb, "why") == 0) {
        print_message(j, result, strcmp(j->verb, "why") == 0);
    } else if (drained) {
        printf("%lld messages left, %lld of them held\n", (long long)number(result, "left"),
               (long long)number(result, "held"));
    } else {
        printf("%s: %lld message%s\n", j->verb, (long long)number(result, "count"),
               number(result, "count") == 1 ? "" : "s");
    }
    return code;
}

/* ---- through deliver, or without it ---- */

static int failed(struct job *j, const char *what)
{
    (void)fprintf(stderr, "kedge queue %s: %s%s\n", j->verb, what, buf_cstr(&j->why));
    return EXIT_FAILED;
}

static bool deliver_runs(const char *path)
{
    int fd;
    if (ctl_connect(path, &fd, NULL) != OK)
        return false;
    file_close(&fd);
    return true;
}

static void journal_discard(void *ctx, const struct queue_message *m, struct str by)
{
    discard_record(((const struct job *)ctx)->journal, m, by);
}

/* Files that root makes here must belong to the daemons. */
static void become_owner(const char *folder)
{
    struct stat st;
    if (geteuid() != 0 || stat(folder, &st) < 0 || st.st_uid == 0)
        return;
    if (setegid(st.st_gid) < 0 || seteuid(st.st_uid) < 0)
        die(EXIT_OS, "cannot become the owner of %s", folder);
}

static enum err run_locally(struct job *j, json_t **result)
{
    struct queue_control c = {.discarded = journal_discard, .ctx = j};
    bool looks = strcmp(j->verb, "list") == 0 || strcmp(j->verb, "show") == 0 || strcmp(j->verb, "why") == 0;
    if (strcmp(j->verb, "drain") == 0) {
        buf_set(&j->why, "kedge-deliver does not run: nothing would be sent");
        return ERR_REFUSED;
    }
    become_owner(j->folder);
    enum err e;
    if (looks) {
        c.read_only = true;
        e = queue_open_readonly(j->folder, &c.queue, &j->why);
    } else {
        struct queue_options options = {.segment_size = (size_t)j->conf.segment_size,
                                        .quiet = true,
                                        .segment_age_ms = j->conf.segment_age};
        e = queue_open(j->folder, &options, &c.queue, &j->why);
        const struct journal_options kept = {.retention_ms = j->conf.journal_retention};
        const char *journal = arena_printf(&j->arena, "%s/journal", j->conf.data_directory).p;
        if (e == OK && strcmp(j->verb, "remove") == 0)
            j->journal = journal_open(journal, "operator", &kept, &j->why);
        if (e == OK && strcmp(j->verb, "remove") == 0 && !j->journal)
            e = ERR_SYSTEM; /* not without a record of it */
    }
    char verb[32], by[32];
    (void)snprintf(verb, sizeof verb, "queue.%s", j->verb);
    (void)snprintf(by, sizeof by, "uid %u", (unsigned)getuid());
    if (e == OK)
        e = queue_control(&c, verb, j->request, str_of(by), print_line, j, result, &j->why);
    queue_close(c.queue);
    journal_close(j->journal);
    return e;
}

static enum err print_content(struct job *j)
{
    struct queue *q = NULL;
    struct queue_message *m = NULL;
    char chunk[16384];
    enum err e = queue_open_readonly(j->folder, &q, &j->why);
    if (e == OK)
        e = queue_look(q, j->id, &m, &j->why);
    for (uint64_t at = 0; e == OK;) {
        ssize_t n = queue_content_read(m, at, chunk, sizeof chunk, &j->why);
        if (n == 0)
            break;
        if (n < 0)
            e = ERR_SYSTEM;
        else
            at += fwrite(chunk, 1, (size_t)n, stdout);
    }
    queue_message_free(m);
    queue_close(q);
    return e;
}

static int run(struct job *j)
{
    json_t *result = NULL;
    struct arena paths = {0};
    cli_conf(j->cli, &j->conf);
    j->folder = arena_printf(&paths, "%s/queue", j->conf.data_directory).p;
    const char *socket = arena_printf(&paths, "%s/deliver.sock", j->conf.run_directory).p;
    char verb[32];
    (void)snprintf(verb, sizeof verb, "queue.%s", j->verb);
    json_object_set_new(j->request, "verb", json_string(verb));
    enum err e;
    if (j->content)
        e = print_content(j);
    else if (deliver_runs(socket))
        e = ctl_call(socket, j->request, print_borrowed, j, ANSWER_MS, &result, &j->why);
    else
        e = run_locally(j, &result);
    int code = EXIT_OK;
    if (e != OK)
        code = failed(j, "");
    else if (!j->content)
        code = print_result(j, result);
    json_decref(result);
    arena_release(&paths);
    arena_release(&j->arena);
    conf_release(&j->conf);
    buf_release(&j->why);
    return code;
}

/* ---- the command line ---- */

static int wrong_usage(const char *what, const char *word)
{
    (void)fprintf(stderr, "kedge queue: %s '%s'; try --help\n", what, word);
    return EXIT_BAD_USAGE;
}

static bool takes_id(const char *verb)
{
    return strcmp(verb, "list") != 0 && strcmp(verb, "drain") != 0;
}

static bool take_option(struct job *j, int option, const char *value)
{
    uint32_t seconds;
    switch (option) {
    case 'd':
        return json_object_set_new(j->request, "domain", json_string(value)) == 0;
    case 't':
        return json_object_set_new(j->request, "tenant", json_string(value)) == 0;
    case 'H':
        return json_object_set_new(j->request, "held", json_true()) == 0;
    case 'a':
        return json_object_set_new(j->request, "all", json_true()) == 0;
    case 's':
        return str_to_u32(str_of(value), &seconds) && seconds &&
               json_object_set_new(j->request, "seconds", json_integer(seconds)) == 0;
    case 'c':
        return j->content = true;
    default:
        return false;
    }
}

/* Which verbs take an option. */
static bool fits(const char *verb, int option)
{
    static const char *const of[] = {"dlist dretry", "tlist", "Hlist", "aretry", "sdrain", "cshow"};
    struct buf word = {0};
    buf_printf(&word, "%c%s", option, verb);
    bool found = false;
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        struct str rest = str_of(of[i]);
        for (struct str one; (one = str_word(&rest)).n;)
            found |= str_equal(one, buf_str(&word));
    }
    buf_release(&word);
    return found;
}

static int parse(struct job *j, int argc, char **argv)
{
    static const struct option options[] = {
        {"domain", required_argument, NULL, 'd'},
        {"tenant", required_argument, NULL, 't'},
        {"held", no_argument, NULL, 'H'},
        {"all", no_argument, NULL, 'a'},
        {"seconds", required_argument, NULL, 's'},
        {"content", no_argument, NULL, 'c'},
        {0},
    };
    optind = 1;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        const char *typed = argv[optind - 1];
        if (option == '?' || !fits(j->verb, option))
            return wrong_usage("unknown option, or a value is missing:", typed);
        if (!take_option(j, option, optarg))
            return wrong_usage("not a fitting value:", typed);
    }
    bool many =
        json_object_get(j->request, "all") || (json_object_get(j->request, "domain") && takes_id(j->verb));
    if (takes_id(j->verb) && !many) {
        if (optind >= argc)
            return wrong_usage("a queue id is missing after", j->verb);
        j->id = argv[optind++];
        json_object_set_new(j->request, "id", json_string(j->id));
    }
    return optind < argc ? wrong_usage("too many words:", argv[optind]) : EXIT_OK;
}

int cmd_queue(const struct cli *cli, int argc, char **argv)
{
    static const char *const verbs[] = {
#define X(name, read_only) #name,
        QUEUE_VERB_TABLE(X)
#undef X
    };
    struct job j = {.cli = cli, .verb = argc > 1 ? argv[1] : "--help"};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0) {
            printf("%s", HELP);
            return EXIT_OK;
        }
    if (argc < 2) {
        (void)fprintf(stderr, "%s", HELP);
        return EXIT_BAD_USAGE;
    }
    bool known = false;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        known |= strcmp(verbs[i], j.verb) == 0;
    if (!known)
        return wrong_usage("unknown verb", j.verb);
    j.request = json_object();
    int code = parse(&j, argc - 1, argv + 1);
    if (code == EXIT_OK)
        code = run(&j);
    json_decref(j.request);
    return code;
}
