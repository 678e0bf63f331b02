/* The configuration file: any bytes give a struct or a list of mistakes; what is accepted is written back and
 * accepted again. */
#include "base/die.h"
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf c, again;
    struct buf why = {0}, shown = {0};
    if (conf_parse(str_make((const char *)data, size), "fuzz", &c, &why) == OK) {
        conf_show(&c, &shown);
        ENSURE(conf_parse(buf_str(&shown), "shown", &again, &why) == OK);
        conf_release(&again);
        conf_release(&c);
    } else {
        ENSURE(why.n > 0);
    }
    buf_release(&why);
    buf_release(&shown);
    return 0;
}
