#include "journal/name.h"

bool journal_name_parse(struct str name, struct journal_name *out)
{
    static const char form[] = "-dddd-dd-dd.jsonl";
    enum { TAIL = sizeof form - 1 };
    if (name.n <= TAIL)
        return false;
    struct str tail = str_from(name, name.n - TAIL);
    for (size_t i = 0; i < TAIL; i++)
        if (form[i] == 'd' ? tail.p[i] < '0' || tail.p[i] > '9' : tail.p[i] != form[i])
            return false;
    return str_copy(str_sub(name, 0, name.n - TAIL), out->producer, sizeof out->producer) &&
           str_copy(str_sub(tail, 1, JOURNAL_DAY - 1), out->day, sizeof out->day);
}
