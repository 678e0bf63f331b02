#include "cmd/authority_secret.h"

#include "base/base.h"

enum { KEY_FILE_MAX = 4096 };

enum err authority_secret(const struct conf *conf, struct buf *out, struct buf *why)
{
    struct buf path = {0}, text = {0}, octets = {0};
    buf_set(&path, "%s/authority/key", conf->data_directory);
    enum err e = file_read(buf_cstr(&path), KEY_FILE_MAX, &text, why);
    struct str secret = str_trim(buf_str(&text));
    (void)str_cut(&secret, ':'); /* algorithm:name:secret, as kdig -y and knsupdate -y take it */
    (void)str_cut(&secret, ':');
    if (!e && (!base64_decode(&octets, secret) || octets.n == 0)) {
        buf_set(why, "%s is not algorithm:name:secret with the secret in base64", buf_cstr(&path));
        e = ERR_MALFORMED;
    }
    if (!e)
        buf_add(out, secret);
    buf_release(&path);
    buf_release(&text);
    buf_release(&octets);
    return e;
}
