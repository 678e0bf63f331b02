/* What a handshake was: for Received, logs, evidence. */
#ifndef TLS_INFO_H
#define TLS_INFO_H

#include "base/base.h"

struct tls_info {
    const char *protocol; /* "TLSv1.3"; static text of OpenSSL; NULL: no TLS */
    const char *cipher;   /* "TLS_AES_256_GCM_SHA384" */
    unsigned cipher_bits;
    bool is_resumed;
    char sni[256]; /* server: what the client asked for, lower case, "" when nothing usable; client: what we
                      sent */

    /* server */
    uint64_t key_set; /* of the identity that served */
    uint64_t pair_id; /* of the pair that served; 0 when the session was resumed */
    bool is_refused;  /* the handshake failed: the client refused our certificate, and said so in an alert */

    /* the other side's leaf certificate; a server has one only when the client sent it */
    bool has_peer_certificate;
    uint8_t peer_sha256[32];      /* of the DER certificate */
    uint8_t peer_spki_sha256[32]; /* of its SubjectPublicKeyInfo: what a TLSA record "3 1 1" holds */

    /* client, when args asked for WebPKI: X509_V_OK or why not */
    long webpki_error;
};

/* "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)". */
void tls_info_describe(const struct tls_info *info, struct buf *out);

#endif
