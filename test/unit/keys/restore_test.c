/* A database that was restored from a backup, and what edges see of it before the gate's first word. */
#include "fixture.h"

#include <fcntl.h>

#include "keys/request.h"

static void copy_database(const char *from, const char *to)
{
    static const char *const parts[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char source[128], target[128];
        (void)snprintf(source, sizeof source, "%s/kedge.db%s", from, parts[i]);
        (void)snprintf(target, sizeof target, "%s/kedge.db%s", to, parts[i]);
        (void)unlink(target);
        struct buf bytes = {0}, why = {0};
        if (!file_read(source, 1 << 26, &bytes, &why)) {
            int fd = open(target, O_WRONLY | O_CREAT | O_TRUNC, 0600);
            assert_int_equal(write(fd, bytes.p, bytes.n), (ssize_t)bytes.n);
            assert_int_equal(close(fd), 0);
        }
        buf_release(&bytes);
        buf_release(&why);
    }
}

static void backup(struct fixture *f, char folder[64])
{
    (void)snprintf(folder, 64, "/tmp/kedge-backup-XXXXXX");
    assert_non_null(mkdtemp(folder));
    tenant_close(f->t);
    f->t = NULL;
    copy_database(f->folder, folder);
    reopen(f);
}

static void restore(struct fixture *f, const char *folder)
{
    tenant_close(f->t);
    f->t = NULL;
    copy_database(folder, f->folder);
    reopen(f);
}

static void remove_backup(const char *folder)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* As the keeper does after a step: the n-th key is active, all before it retire, and the keystore is told. */
struct say {
    int active;
};

static enum err say_active(struct call *c, void *ctx)
{
    const struct say *say = ctx;
    struct key_row row;
    struct gate_set set;
    enum err e = keys_find(c, STR("g1"), &row);
    if (!e)
        e = keys_load(c, row.id, &set);
    struct buf said = {0};
    if (!e && (int)set.nkey <= say->active)
        e = request_new_key(c, &set, GATE_ECDSA, GATE_ROLL_NO, NULL, &said);
    buf_release(&said);
    for (int i = 0; !e && i < (int)set.nkey; i++)
        set.key[i].state = i < say->active ? GATE_RETIRING : i == say->active ? GATE_ACTIVE : GATE_PUBLISHED;
    if (!e)
        e = keys_save(c, &set, NULL);
    return e ? e : change_note(c, CHANGE_KEY, id_text(c->a, row.id), STR_NONE);
}

static void gate_says(struct fixture *f, int active)
{
    assert_int_equal(tenant_transact(f->t, TENANT_WRITE, say_active, &(struct say){active}, &f->why), OK);
}

/* The pair that edges serve for the set; 0: none. */
static uint64_t serves(struct fixture *f)
{
    struct tls_identity identity;
    return served(f, "a.mx.example", &identity) ? identity.pair[0].id : 0;
}

static void a_hosted_domain(struct fixture *f)
{
    good(f, "edge.group.add", "{'edge_group': 'here', 'address': '192.0.2.1'}");
    good(f, "zone.add", "{'zone': 'mx.example', 'primary': '192.0.2.53', 'edge_group': 'here', 'ttl': '60'}");
    good(f, "key.add", "{'group': 'g1'}");
    good(f, "tenant.add", "{'tenant': 'acme'}");
    good(f, "domain.add", "{'domain': 'a', 'tenant': 'acme', 'mailbox_host': 'lmtp:127.0.0.1:24'}");
}

static void what_is_served_stays_until_the_gate_speaks(void **state)
{
    struct fixture *f = *state;
    char old[64];
    a_hosted_domain(f);
    gate_says(f, 0);
    uint64_t first = serves(f);
    assert_int_not_equal(first, 0);
    backup(f, old);
    gate_says(f, 1);
    uint64_t second = serves(f);
    assert_true(second && second != first);
    restore(f, old);
    assert_int_equal(serves(f), second); /* the database calls the first one active */
    reopen(f);
    assert_int_equal(serves(f), second);
    gate_says(f, 0);
    assert_int_equal(serves(f), first);
    remove_backup(old);
}

/* The backup's history went on elsewhere, to the epoch that is known here: only the mark tells. */
static void epochs_of_another_history_are_not_believed(void **state)
{
    struct fixture *f = *state, other = {.board = NULL};
    char old[64], path[96];
    struct directory_view v = {0};
    a_hosted_domain(f);
    gate_says(f, 0);
    backup(f, old);
    good(f, "tenant.add", "{'tenant': 'here'}");
    (void)snprintf(other.folder, sizeof other.folder, "%s", old);
    reopen(&other);
    good(&other, "tenant.add", "{'tenant': 'there'}");
    tenant_close(other.t);
    board_free(other.board);
    json_decref(other.result);
    buf_release(&other.why);
    restore(f, old);
    tenant_close(f->t);
    f->t = NULL;
    (void)snprintf(path, sizeof path, "%s/directory", f->folder);
    struct directory *d = directory_open(path, &f->why);
    assert_non_null(d);
    assert_int_equal(directory_begin(d, &v, &f->why), OK);
    struct dir_tenant tenant;
    assert_false(directory_tenant_by_name(&v, &f->a, STR("here"), &tenant));
    assert_true(directory_tenant_by_name(&v, &f->a, STR("there"), &tenant));
    directory_end(&v);
    directory_close(d);
    reopen(f);
    remove_backup(old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_served_stays_until_the_gate_speaks, setup, teardown),
        cmocka_unit_test_setup_teardown(epochs_of_another_history_are_not_believed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
