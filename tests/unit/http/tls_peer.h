/* The server's side of TLS for tests, between a scripted server's bytes and its connection. The certificate is for localhost and 127.0.0.1, signed by itself,
 * made when first asked for. */
#ifndef HOB_TESTS_TLS_PEER_H
#define HOB_TESTS_TLS_PEER_H

#include "base/buf.h"

const char *tls_certificate(void); /* its file */
void tls_fini(void);

struct tls_peer;
struct tls_peer *tls_peer_new(void);
void tls_peer_free(struct tls_peer *t); /* NULL is fine */
/* Bytes from the connection: what they say is added to plain. */
void tls_peer_read(struct tls_peer *t, struct str bytes, struct buf *plain);
void tls_peer_write(struct tls_peer *t, struct str plain);
void tls_peer_finish(struct tls_peer *t); /* says goodbye */
/* What has to go out now: lives until the next call. */
struct str tls_peer_out(struct tls_peer *t);

#endif
