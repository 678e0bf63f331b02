/* A survey: many domains are looked at, a bounded number of them at the same time, and what was found is
 * handed on in the order of the names. A slow domain holds up what is told, not those that are looked at:
 * they run ahead of it, up to the survey's window. Memory does not grow with the number of domains. */
#ifndef INSPECT_SURVEY_H
#define INSPECT_SURVEY_H

#include "base/crew.h"
#include "inspect/domain.h"
#include "inspect/wanted.h"

enum { SURVEY_PAGE = 200 };

/* One domain. */
struct survey_item {
    struct str name; /* as it was given */
    bool is_done;
    /* what look() found; released by the survey */
    enum err error;
    struct buf why;
    json_t *row;
    enum domain_state state;
    struct wanted_seen seen;
    struct arena a; /* of all this */
};

struct survey_conf {
    struct crew *crew;
    void *ctx;
    /* At most SURVEY_PAGE more names by survey_add; adding none ends the survey. */
    enum err (*more)(void *ctx);
    /* In a thread of the crew. */
    void (*look)(void *ctx, struct survey_item *i);
    /* The next ones, in order, at most SURVEY_PAGE; also with none, so that the time can be used to say so.
     */
    enum err (*take)(void *ctx, struct survey_item *const *v, size_t n);
    /* True: no more looks are begun. Asked from all threads. */
    bool (*is_over)(void *ctx);
};

struct survey;
struct survey *survey_new(const struct survey_conf *conf);
void survey_free(struct survey *s);
void survey_add(struct survey *s, struct str name);
/* Until the last was taken, something failed, or it is over (OK, too). Looks that were begun have ended then.
 */
enum err survey_run(struct survey *s) MUST_CHECK;

#endif
