/* A database of its own with the verbs of keys; what the data plane sees of it. */
#ifndef TEST_KEYS_FIXTURE_H
#define TEST_KEYS_FIXTURE_H

#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <unistd.h>

#include "directory/keystore.h"
#include "keys/keys.h"
#include "keys/store.h"

struct fixture {
    char folder[64];
    struct board *board;
    struct tenant_store *t;
    json_t *result;
    struct arena a;
    struct buf why;
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static void reopen(struct fixture *f)
{
    tenant_close(f->t);
    board_free(f->board);
    f->board = board_new(&(struct gate_set){0});
    struct tenant_verb_table table = {keys_verbs, keys_verb_count, f->board};
    f->t = tenant_open(
        &(struct tenant_args){
            .data_directory = f->folder, .hostname = "edge.example", .tables = &table, .table_count = 1},
        &f->why);
    if (!f->t)
        fail_msg("%s", buf_cstr(&f->why));
}

static __attribute__((unused)) int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strncpy(f->folder, "/tmp/kedge-keys-XXXXXX", sizeof f->folder - 1);
    assert_non_null(mkdtemp(f->folder));
    reopen(f);
    *state = f;
    return 0;
}

static __attribute__((unused)) int teardown(void **state)
{
    struct fixture *f = *state;
    tenant_close(f->t);
    board_free(f->board);
    nftw(f->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    json_decref(f->result);
    arena_release(&f->a);
    buf_release(&f->why);
    free(f);
    return 0;
}

/* Arguments as JSON with ' for ". */
static __attribute__((unused)) enum err call(struct fixture *f, const char *verb, const char *args)
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

static __attribute__((unused)) void good(struct fixture *f, const char *verb, const char *args)
{
    if (call(f, verb, args))
        fail_msg("%s %s: %s", verb, args, buf_cstr(&f->why));
}

/* The key set that another process would serve for a name; 0: none. */
static __attribute__((unused)) uint64_t served(struct fixture *f, const char *name,
                                               struct tls_identity *identity)
{
    char path[96];
    struct keystore_view v = {0};
    tenant_close(f->t);
    f->t = NULL;
    snprintf(path, sizeof path, "%s/keys", f->folder);
    struct keystore *k = keystore_open(path, &f->why);
    assert_non_null(k);
    assert_int_equal(keystore_begin(k, &v, &f->why), OK);
    bool found = keystore_identity(&v, &f->a, str_of(name), identity, NULL);
    keystore_end(&v);
    keystore_close(k);
    reopen(f);
    return found ? identity->key_set : 0;
}

#endif
