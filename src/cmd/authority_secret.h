/* The TSIG key of the private primary, in data_directory/authority/key. */
#ifndef CMD_AUTHORITY_SECRET_H
#define CMD_AUTHORITY_SECRET_H

#include "base/buf.h"
#include "conf/conf.h"

#define AUTHORITY_KEY_NAME "kedge"
#define AUTHORITY_KEY_ALGORITHM "hmac-sha256"

/* Its secret in base64, appended. */
enum err authority_secret(const struct conf *conf, struct buf *out, struct buf *why) MUST_CHECK;

#endif
