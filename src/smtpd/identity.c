#include "smtpd/identity.h"

bool smtpd_identity_lookup(void *ctx, struct str sni, struct arena *a, struct tls_identity *out)
{
    const struct smtpd_identity *identity = ctx;
    struct keystore_view view = {0};
    struct buf why = {0};
    bool found = false;
    if (keystore_begin(identity->keystore, &view, &why))
        log_event(LOG_ERROR, "keystore-unreadable", LOG_TEXT("why", buf_cstr(&why)));
    else
        found = keystore_identity(&view, a, sni, out, NULL);
    keystore_end(&view);
    buf_release(&why);
    return found;
}

bool smtpd_identity_wants_certificate(void *ctx)
{
    const struct smtpd_identity *identity = ctx;
    struct directory_view view = {0};
    struct buf why = {0};
    bool wants = directory_begin(identity->directory, &view, &why) != OK || directory_has_certificates(&view);
    directory_end(&view);
    buf_release(&why);
    return wants;
}
