/* A store in a folder of its own, its verbs with arguments as JSON, and what the data plane sees of it. */
#ifndef TEST_TENANT_FIXTURE_H
#define TEST_TENANT_FIXTURE_H

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db.h"
#include "directory/directory.h"
#include "directory/keystore.h"
#include "net/addr.h"
#include "tenant/tenant.h"

__attribute__((unused)) static int remove_one(const char *path, const struct stat *st, int type,
                                              struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

struct fixture {
    char folder[64];
    struct tenant_store *t;
    json_t *result;
    struct arena a;
    struct buf why;
};

__attribute__((unused)) static void reopen(struct fixture *f)
{
    tenant_close(f->t);
    f->t =
        tenant_open(&(struct tenant_args){.data_directory = f->folder, .hostname = "edge.example"}, &f->why);
    if (!f->t)
        fail_msg("%s", buf_cstr(&f->why));
}

__attribute__((unused)) static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strncpy(f->folder, "/tmp/kedge-tenant-XXXXXX", sizeof f->folder - 1);
    assert_non_null(mkdtemp(f->folder));
    reopen(f);
    *state = f;
    return 0;
}

__attribute__((unused)) static int teardown(void **state)
{
    struct fixture *f = *state;
    tenant_close(f->t);
    nftw(f->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    json_decref(f->result);
    arena_release(&f->a);
    buf_release(&f->why);
    free(f);
    return 0;
}

/* Arguments as JSON with ' for ". */
__attribute__((unused)) static enum err call(struct fixture *f, const char *verb, const char *args)
{
    char *text = strdup(args);
    for (char *p = text; *p; p++)
        *p = (char)(*p == '\'' ? '"' : *p);
    json_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    json_decref(f->result);
    f->result = NULL;
    enum err e =
        tenant_call(f->t, &(struct tenant_request){.verb = verb, .args = object}, &f->result, &f->why);
    json_decref(object);
    free(text);
    return e;
}

#define good(f, verb, args)                                                                                  \
    do {                                                                                                     \
        if (call(f, verb, args))                                                                             \
            fail_msg("%s %s: %s", verb, args, buf_cstr(&(f)->why));                                          \
    } while (0)

__attribute__((unused)) static bool text_is(const json_t *object, const char *name, const char *value)
{
    const char *is = json_string_value(json_object_get(object, name));
    return is && strcmp(is, value) == 0;
}

/* The directory as another process sees it: this one has it open for writing, so it looks after closing. */
struct look {
    struct directory *d;
    struct keystore *k;
    struct directory_view v;
    struct keystore_view kv;
};

__attribute__((unused)) static struct look look(struct fixture *f)
{
    struct look l = {0};
    char path[96];
    tenant_close(f->t);
    f->t = NULL;
    snprintf(path, sizeof path, "%s/directory", f->folder);
    l.d = directory_open(path, &f->why);
    snprintf(path, sizeof path, "%s/keys", f->folder);
    l.k = keystore_open(path, &f->why);
    assert_non_null(l.d);
    assert_non_null(l.k);
    assert_int_equal(directory_begin(l.d, &l.v, &f->why), OK);
    assert_int_equal(keystore_begin(l.k, &l.kv, &f->why), OK);
    return l;
}

__attribute__((unused)) static void look_end(struct fixture *f, struct look *l)
{
    directory_end(&l->v);
    keystore_end(&l->kv);
    directory_close(l->d);
    keystore_close(l->k);
    reopen(f);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
