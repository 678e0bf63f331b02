#include "smtpd/backend.h"

static struct smtpd_verdict judge(void *ctx, const struct smtpd_question *q, struct arena *a)
{
    const struct smtpd_backend *b = ctx;
    return judge_recipient(&b->judge, q, a);
}

static bool has_space(void *ctx)
{
    const struct smtpd_backend *b = ctx;
    return queue_writer_space_ok(b->queue);
}

static void *draft_new(void *ctx)
{
    const struct smtpd_backend *b = ctx;
    return queue_draft_new(b->queue);
}

static const char *draft_id(const void *draft)
{
    return queue_draft_id(draft);
}

static void draft_write(void *draft, const void *p, size_t n)
{
    queue_draft_write(draft, p, n);
}

static enum err draft_commit(void *draft, const struct envelope *e, struct buf *why)
{
    char id[QUEUE_ID];
    return queue_draft_commit(draft, e, id, why);
}

static void draft_drop(void *draft)
{
    queue_draft_drop(draft);
}

static void record(void *ctx, struct str line)
{
    const struct smtpd_backend *b = ctx;
    journal_append(b->journal, line);
}

void smtpd_backend_outside(struct smtpd_backend *b, struct smtpd_outside *out)
{
    *out = (struct smtpd_outside){
        .ctx = b,
        .judge = judge,
        .has_space = has_space,
        .draft_new = draft_new,
        .draft_id = draft_id,
        .draft_write = draft_write,
        .draft_commit = draft_commit,
        .draft_drop = draft_drop,
        .record = record,
    };
}
