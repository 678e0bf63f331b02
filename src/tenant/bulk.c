#include "tenant/bulk.h"

enum { PORTION = 1000, FAILURES_SHOWN = 100, PROGRESS_MS = 500 };

struct tally {
    int64_t changed, unchanged, failed;
};

struct bulk {
    struct call *outer;
    bulk_one one;
    struct arena a; /* of the portion */
    struct str name[PORTION];
    size_t n;
    bool is_stored;             /* the portion */
    struct tally portion, done; /* done: what is stored */
    json_t *failures;
    int64_t told_ms;
};

/* Named domains: all or none. */
static enum err run_named(struct call *c, void *ctx)
{
    struct bulk *b = ctx;
    c->args = b->outer->args;
    c->context = b->outer->context;
    c->result = json_array();
    enum err e = OK;
    for (size_t i = 0; !e && i < arg_count(c, "domain"); i++) {
        bool changed;
        e = b->one(c, arg_at(c, "domain", i), &changed);
    }
    if (e)
        json_decref(c->result);
    else
        b->outer->result = c->result;
    return e;
}

static void keep_failure(struct bulk *b, struct str name, struct str why)
{
    b->portion.failed++;
    if (json_array_size(b->failures) == FAILURES_SHOWN)
        return;
    json_t *o = json_object();
    json_object_set_new(o, "domain", json_of(name));
    json_object_set_new(o, "error", json_of(why));
    json_array_append_new(b->failures, o);
}

static bool is_about_the_domain(enum err e)
{
    return e == ERR_USAGE || e == ERR_NOT_FOUND || e == ERR_EXISTS || e == ERR_REFUSED;
}

/* A domain that fails leaves nothing behind: neither rows nor an epoch. */
static enum err run_one(struct call *c, struct bulk *b, struct str name)
{
    struct call before = *c;
    struct arena item = {0};
    bool changed = false;
    enum err e = db_run(db_query(c->db, "SAVEPOINT one"), NULL, c->why);
    if (e)
        return e;
    c->a = &item;
    enum err failed = b->one(c, name, &changed);
    if (failed) {
        *c = before;
        e = db_run(db_query(c->db, "ROLLBACK TO one"), NULL, NULL);
    }
    c->a = before.a;
    if (!e)
        e = db_run(db_query(c->db, "RELEASE one"), NULL, NULL);
    arena_release(&item);
    if (e || (failed && !is_about_the_domain(failed)))
        return e ? e : failed;
    if (failed)
        keep_failure(b, name, buf_str(c->why));
    else
        ++*(changed ? &b->portion.changed : &b->portion.unchanged);
    return OK;
}

static enum err run_portion(struct call *c, void *ctx)
{
    struct bulk *b = ctx;
    enum err e = OK;
    c->args = b->outer->args;
    c->context = b->outer->context;
    c->committed = &b->is_stored;
    for (size_t i = 0; !e && i < b->n; i++)
        e = run_one(c, b, b->name[i]);
    return e;
}

static void tell(struct bulk *b)
{
    int64_t now = clock_mono();
    if (now - b->told_ms < PROGRESS_MS)
        return;
    b->told_ms = now;
    json_t *line = json_object();
    json_object_set_new(line, "done", json_integer(b->done.changed + b->done.unchanged + b->done.failed));
    json_object_set_new(line, "failed", json_integer(b->done.failed));
    call_progress(b->outer, line);
}

static enum err flush(struct bulk *b)
{
    bool whole = b->n == PORTION; /* else it was the last one */
    b->is_stored = false;
    b->portion = (struct tally){0};
    enum err e = b->n ? tenant_transact(b->outer->store, TENANT_WRITE, run_portion, b, b->outer->why) : OK;
    if (b->is_stored) {
        b->done.changed += b->portion.changed;
        b->done.unchanged += b->portion.unchanged;
        b->done.failed += b->portion.failed;
    }
    b->n = 0;
    arena_release(&b->a);
    tell(b);
    if (e || !whole || !tenant_is_stopping(b->outer->store))
        return e;
    buf_set(b->outer->why, "kedge-control is stopping");
    return ERR_CLOSED;
}

/* What ended it does not undo the portions before. */
static void say_how_far(const struct bulk *b, enum err e)
{
    const struct tally *t = &b->done;
    struct buf *why = b->outer->why;
    if (!t->changed && !t->unchanged && !t->failed)
        return;
    buf_printf(why, "%s %lld domains are done, ", e == ERR_CLOSED ? ":" : ";",
               (long long)t->changed + (long long)t->unchanged);
    if (t->failed)
        buf_printf(why, "%lld failed, ", (long long)t->failed);
    buf_add(why, STR("the others are as they were; "));
    buf_add(why, e == ERR_CLOSED ? STR("the same command does the rest when it is up again")
                                 : STR("give the same command again"));
}

static enum err run_file(struct bulk *b, struct str text)
{
    enum err e = OK;
    while (!e && text.n) {
        struct str line = str_cut(&text, '\n');
        line = str_trim(str_cut(&line, '#'));
        if (line.n)
            b->name[b->n++] = line;
        if (b->n == PORTION)
            e = flush(b);
    }
    return e ? e : flush(b);
}

enum err bulk_page(struct call *c, struct str tenant, struct str after, size_t most,
                   void (*each)(void *ctx, struct str name), void *ctx)
{
    int64_t id = 0;
    enum err e = tenant.n ? tenant_id_of(c, tenant, TENANT_ONE, &id) : OK;
    if (e)
        return e;
    struct db_query *q =
        db_query(c->db, "SELECT name FROM domain WHERE name > $1 AND ($2 = 0 OR tenant_id = $2)"
                        " ORDER BY name LIMIT $3");
    db_bind_text(q, after);
    db_bind_int(q, id);
    db_bind_int(q, (int64_t)most);
    while (db_next(q))
        each(ctx, db_text(q, 0));
    return db_end(q, c->why);
}

struct page {
    struct bulk *b;
    struct str after, tenant;
};

static void take_name(void *ctx, struct str name)
{
    struct bulk *b = ctx;
    b->name[b->n++] = arena_str(&b->a, name);
}

static enum err read_page(struct call *c, void *ctx)
{
    struct page *p = ctx;
    return bulk_page(c, p->tenant, p->after, PORTION, take_name, p->b);
}

/* All domains, or those of a tenant, by name; what comes while it runs is seen when it is still ahead. */
static enum err run_all(struct bulk *b, struct str tenant)
{
    struct page p = {.b = b, .tenant = tenant};
    struct arena last = {0};
    enum err e;
    size_t n;
    do {
        e = tenant_transact(b->outer->store, TENANT_READ, read_page, &p, b->outer->why);
        n = b->n;
        arena_release(&last);
        if (n)
            p.after = arena_str(&last, b->name[n - 1]);
        if (!e)
            e = flush(b);
    } while (!e && n == PORTION);
    arena_release(&last);
    return e;
}

static enum err run_many(struct bulk *b, struct call *c)
{
    b->failures = json_array();
    b->told_ms = clock_mono();
    enum err e = arg_has(c, "file")     ? run_file(b, arg_text(c, "file"))
                 : arg_has(c, "tenant") ? run_all(b, arg_text(c, "tenant"))
                                        : run_all(b, STR_NONE);
    arena_release(&b->a);
    if (e) {
        say_how_far(b, e);
        json_decref(b->failures);
        return e;
    }
    c->result = json_object();
    json_object_set_new(c->result, "changed", json_integer(b->done.changed));
    json_object_set_new(c->result, "unchanged", json_integer(b->done.unchanged));
    json_object_set_new(c->result, "failed", json_integer(b->done.failed));
    json_object_set_new(c->result, "failures", b->failures);
    return OK;
}

enum err bulk_run(struct call *c, enum bulk_selection selection, bulk_one one)
{
    bool named = arg_count(c, "domain") > 0, file = arg_has(c, "file");
    bool selected = selection == BULK_SELECTED && (arg_is_set(c, "all") || arg_has(c, "tenant"));
    if (named + file + selected != 1) {
        buf_set(c->why,
                selection == BULK_SELECTED
                    ? "say which domains: DOMAIN..., --file FILE, --tenant NAME or --all, one of these"
                    : "say which domains: DOMAIN... or --file FILE, one of these");
        return ERR_USAGE;
    }
    struct bulk *b = must_alloc(calloc(1, sizeof *b));
    b->outer = c;
    b->one = one;
    enum err e = named ? tenant_transact(c->store, TENANT_WRITE, run_named, b, c->why) : run_many(b, c);
    free(b);
    return e;
}
