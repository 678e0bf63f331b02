/* Certificates and keys as administrators keep them: files in PEM or DER. */
#ifndef DANE_MATERIAL_H
#define DANE_MATERIAL_H

#include <openssl/x509.h>

#include "dane/dane.h"

/* What a file holds: certificates in their order, or one key (private or public). */
struct dane_material {
    STACK_OF(X509) * certs; /* never NULL after a successful read; may be empty */
    EVP_PKEY *key;          /* only when there is no certificate */
};

/* ERR_MALFORMED when there is neither, or when something in it is damaged or needs a passphrase. */
enum err dane_material_read(const char *path, struct dane_material *out, struct buf *why) MUST_CHECK;
void dane_material_release(struct dane_material *m);

/* The record for a certificate, or for a key alone (then cert is NULL and the selector 1). The matching type
 * must be 0, 1 or 2. ERR_USAGE when the two do not go together. */
enum err dane_tlsa_make(X509 *cert, EVP_PKEY *key, uint8_t usage, uint8_t selector, uint8_t mtype,
                        struct arena *a, struct tlsa *out, struct buf *why) MUST_CHECK;

#endif
