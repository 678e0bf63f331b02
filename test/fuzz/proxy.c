/* PROXY headers: the length is right, and a header cut short asks for more. */
#include "net/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header h, cut;
    enum proxy_result r = proxy_parse(data, size, &h);
    ENSURE(r != PROXY_MORE || size < PROXY_FIXED + PROXY_BODY_MAX);
    if (r != PROXY_OK)
        return 0;
    ENSURE(h.length <= size && h.length >= PROXY_FIXED);
    ENSURE(h.is_local == (h.source.n == 0) && h.is_local == (h.destination.n == 0));
    for (size_t n = 0; n < h.length; n++)
        ENSURE(proxy_parse(data, n, &cut) == PROXY_MORE);
    return 0;
}
