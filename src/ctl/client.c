#include "base/file.h"
#include "ctl/wire.h"

/* The last line: takes what it says. */
static enum err conclude(json_t *line, json_t **result, struct buf *why)
{
    if (json_is_true(json_object_get(line, "ok"))) {
        *result = json_incref(json_object_get(line, "result"));
        return OK;
    }
    json_int_t code = json_integer_value(json_object_get(line, "error"));
    buf_set(why, "%s", json_string_value(json_object_get(line, "why")));
    return code > OK && code <= ERR_USAGE ? (enum err)code : ERR_SYSTEM;
}

static enum err read_answer(struct ctl_reader *in, void (*progress)(void *, json_t *), void *ctx,
                            int64_t silence_ms, json_t **result, struct buf *why)
{
    for (;;) {
        struct str text;
        enum err e = ctl_read_line(in, deadline_in(silence_ms), &text, why);
        if (e != OK)
            return e;
        json_t *line = json_loadb(text.p, text.n, 0, NULL);
        if (!json_is_object(line)) {
            json_decref(line);
            buf_set(why, "the daemon's answer is not a JSON object");
            return ERR_MALFORMED;
        }
        bool last = json_object_get(line, "ok") != NULL;
        if (last)
            e = conclude(line, result, why);
        else if (progress)
            progress(ctx, line);
        json_decref(line);
        if (last)
            return e;
    }
}

enum err ctl_call(const char *path, json_t *request, void (*progress)(void *ctx, json_t *line), void *ctx,
                  int64_t silence_ms, json_t **result, struct buf *why)
{
    int fd = -1;
    enum err e = ctl_connect(path, &fd, why);
    struct ctl_reader in = {.fd = fd, .cancel = -1};
    if (e == OK)
        e = ctl_send(fd, request, deadline_in(silence_ms), why);
    if (e == OK)
        e = read_answer(&in, progress, ctx, silence_ms, result, why);
    ctl_reader_release(&in);
    file_close(&fd);
    return e;
}
