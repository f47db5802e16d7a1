/* OpenSSL between two blocks of memory. */
#include "tls_peer.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

struct tls_peer {
    SSL *ssl;
    BIO *in, *out;
    struct buf taken;
};

static SSL_CTX *shared;
static char file[64];

static void add_extension(X509 *x, int what, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, what, value);
    if (!ext || !X509_add_ext(x, ext, -1))
        die("a certificate's extension cannot be made");
    X509_EXTENSION_free(ext);
}

static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_set_pubkey(x, key);
    add_extension(x, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    if (!X509_sign(x, key, EVP_sha256()))
        die("a certificate cannot be signed");
    return x;
}

static SSL_CTX *context(void)
{
    if (shared)
        return shared;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = make_certificate(key);
    shared = SSL_CTX_new(TLS_server_method());
    snprintf(file, sizeof file, "/tmp/hob-test-client-%ld.pem", (long)getpid());
    FILE *f = fopen(file, "w");
    if (!f || !PEM_write_X509(f, x) || fclose(f) || !SSL_CTX_use_certificate(shared, x) || !SSL_CTX_use_PrivateKey(shared, key))
        die("no TLS for tests");
    X509_free(x);
    EVP_PKEY_free(key);
    return shared;
}

const char *tls_certificate(void)
{
    context();
    return file;
}

void tls_fini(void)
{
    SSL_CTX_free(shared);
    shared = NULL;
    if (file[0])
        unlink(file);
}

struct tls_peer *tls_peer_new(void)
{
    struct tls_peer *t = calloc(1, sizeof *t);
    if (!t)
        die("out of memory");
    t->ssl = SSL_new(context());
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    SSL_set_bio(t->ssl, t->in, t->out);
    SSL_set_accept_state(t->ssl);
    return t;
}

void tls_peer_free(struct tls_peer *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    buf_free(&t->taken);
    free(t);
}

void tls_peer_read(struct tls_peer *t, struct str bytes, struct buf *plain)
{
    char piece[16 * 1024];
    int n;
    BIO_write(t->in, bytes.p, (int)bytes.n);
    while ((n = SSL_read(t->ssl, piece, sizeof piece)) > 0)
        buf_add(plain, str_make(piece, (size_t)n));
    ERR_clear_error();
}

void tls_peer_write(struct tls_peer *t, struct str plain)
{
    if (plain.n && SSL_write(t->ssl, plain.p, (int)plain.n) != (int)plain.n)
        die("TLS of a test's server does not write");
}

void tls_peer_finish(struct tls_peer *t)
{
    SSL_shutdown(t->ssl);
    ERR_clear_error();
}

struct str tls_peer_out(struct tls_peer *t)
{
    char *bytes;
    long n = BIO_get_mem_data(t->out, &bytes);
    t->taken.n = 0;
    buf_add(&t->taken, str_make(bytes, (size_t)n));
    (void)BIO_reset(t->out);
    return buf_str(&t->taken);
}
