#include "deliver/discard.h"

void discard_record(struct journal *j, const struct queue_message *m, struct str by)
{
    struct buf line = {0};
    struct json_out w;
    journal_begin(&w, &line, "discarded");
    json_text(&w, "queue_id", m->id);
    json_str(&w, "sender", m->envelope->sender);
    json_str(&w, "by", by);
    json_close(&w, '}');
    journal_append(j, buf_str(&line));
    buf_release(&line);
}
