/* Why a connection did not come about, in words for the operator: which of name, proxy, certificate it was, and which setting to look at. Every word is ours
 * but one citation: libcurl's own may repeat a proxy's login. */
#include "http/web_curl_int.h"

#include <errno.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#define HINT_URL "Check `url:` of this host in hob.yaml, and the network."
#define HINT_CA "If it is yours, name the file of its authority in `ca:` of this host in hob.yaml."
#define HINT_PROXY "Check `proxy:` of this host in hob.yaml."
#define HINT_LOGIN "Write its login into `proxy:` of this host: SCHEME://USER:PASSWORD@HOST:PORT."
#define HINT_CLOCK "Its operator has to renew it; check this machine's clock, too."
#define HINT_NAME "`url:` of this host in hob.yaml must have the name that it is made for."
#define HINT_TLS "Is https spoken at this port?"

struct blame {
    long seen;
    enum err_code code;
    const char *text, *hint;
};

static const struct blame by_curl[] = {
    { CURLE_COULDNT_RESOLVE_HOST,  ERR_UP_REFUSED, "its name does not resolve", HINT_URL },
    { CURLE_COULDNT_RESOLVE_PROXY, ERR_UP_REFUSED, "the name of its proxy does not resolve", HINT_PROXY },
    { CURLE_OPERATION_TIMEDOUT,    ERR_UP_TIMEOUT, "not connected within its time", "" },
    { CURLE_SSL_CACERT_BADFILE,    ERR_UP_REFUSED, "the file of its `ca:` cannot be used", HINT_CA },
    { CURLE_SEND_ERROR,            ERR_UP_RESET,   "the connection was lost while it was set up", "" },
    { CURLE_RECV_ERROR,            ERR_UP_RESET,   "the connection was lost while it was set up", "" },
    { CURLE_GOT_NOTHING,           ERR_UP_RESET,   "the connection was lost while it was set up", "" },
    { CURLE_OUT_OF_MEMORY,         ERR_UP_REFUSED, "memory is short", "" },
};

static const struct blame by_certificate[] = {
    { X509_V_ERR_CERT_HAS_EXPIRED,                   ERR_UP_REFUSED, "its certificate has expired", HINT_CLOCK },
    { X509_V_ERR_CERT_NOT_YET_VALID,                 ERR_UP_REFUSED, "its certificate is not valid yet", HINT_CLOCK },
    { X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,        ERR_UP_REFUSED, "its certificate is signed by itself", HINT_CA },
    { X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,          ERR_UP_REFUSED, "its certificate is by an authority that is not trusted here", HINT_CA },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,          ERR_UP_REFUSED, "its certificate is by an authority that is not trusted here", HINT_CA },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,  ERR_UP_REFUSED, "its certificate is by an authority that is not trusted here", HINT_CA },
    { X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,    ERR_UP_REFUSED, "its certificate is by an authority that is not trusted here", HINT_CA },
    { X509_V_ERR_HOSTNAME_MISMATCH,                  ERR_UP_REFUSED, "its certificate is for another name", HINT_NAME },
    { X509_V_ERR_IP_ADDRESS_MISMATCH,                ERR_UP_REFUSED, "its certificate is for another name", HINT_NAME },
    { X509_V_ERR_UNSPECIFIED,                        ERR_UP_REFUSED, "its certificate is for another name", HINT_NAME }, /* libcurl compares names itself */
    { X509_V_OK,                                     ERR_UP_REFUSED, "its certificate is for another name", HINT_NAME },
};

static const struct blame by_socks[] = {
    { CURLPX_NO_AUTH,                   ERR_UP_REFUSED, "its proxy wants a login", HINT_LOGIN },
    { CURLPX_USER_REJECTED,             ERR_UP_REFUSED, "its proxy does not accept the login", HINT_LOGIN },
    { CURLPX_RESOLVE_HOST,              ERR_UP_REFUSED, "its name does not resolve here", "With socks5h:// the proxy looks names up." },
    { CURLPX_REPLY_CONNECTION_REFUSED,  ERR_UP_REFUSED, "it refused the connection of its proxy", "" },
    { CURLPX_REPLY_HOST_UNREACHABLE,    ERR_UP_REFUSED, "its proxy cannot reach it", HINT_URL },
    { CURLPX_REPLY_NETWORK_UNREACHABLE, ERR_UP_REFUSED, "its proxy cannot reach it", HINT_URL },
    { CURLPX_REPLY_TTL_EXPIRED,         ERR_UP_REFUSED, "its proxy cannot reach it", HINT_URL },
    { CURLPX_REPLY_NOT_ALLOWED,         ERR_UP_REFUSED, "its proxy does not allow it", HINT_PROXY },
};

static const struct blame by_connect[] = {
    { 407, ERR_UP_REFUSED, "its proxy wants a login, or does not accept the one it got", HINT_LOGIN },
    { 403, ERR_UP_REFUSED, "its proxy does not allow it", HINT_PROXY },
    { 405, ERR_UP_REFUSED, "its proxy makes no tunnels (CONNECT)", HINT_PROXY },
};

static const struct blame *look_up(const struct blame *rows, size_t n, long seen)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].seen == seen)
            return &rows[i];
    return NULL;
}

#define LOOK_UP(rows, seen) look_up((rows), COUNTOF(rows), (seen))

static long number(const struct web_why *w, CURLINFO what)
{
    long got = 0;
    curl_easy_getinfo(w->easy, what, &got);
    return got;
}

static enum err_code tell(const struct web_why *w, const struct blame *b, struct err *e)
{
    err_set(e, b->code, "cannot connect to %s: %s", w->name, b->text);
    e->sys = b->code == ERR_UP_TIMEOUT ? ETIMEDOUT : 0; /* as the plain client has it (net/conn.c) */
    return err_hint(e, "%s", b->hint);
}

static enum err_code refused(const struct web_why *w, struct err *e)
{
    long sys = number(w, CURLINFO_OS_ERRNO);
    const char *who = w->proxied ? "its proxy cannot be reached" : sys ? strerror((int)sys) : "refused";
    err_set(e, ERR_UP_REFUSED, "cannot connect to %s: %s", w->name, who);
    e->sys = (int)sys;
    return err_hint(e, "%s", w->proxied ? HINT_PROXY : "");
}

/* An alert of the other side, or no TLS at all; nothing of a proxy's is in these words of OpenSSL's. */
static enum err_code no_tls(const struct web_why *w, struct err *e)
{
    const struct blame *lost = LOOK_UP(by_curl, CURLE_RECV_ERROR);
    if (lost && number(w, CURLINFO_OS_ERRNO))
        return tell(w, lost, e);
    err_set(e, ERR_UP_GARBLED, "cannot connect to %s: no TLS comes about: %.120s", w->name, w->own);
    return err_hint(e, HINT_TLS);
}

static enum err_code bad_certificate(const struct web_why *w, struct err *e)
{
    long result = number(w, CURLINFO_SSL_VERIFYRESULT);
    const struct blame *b = LOOK_UP(by_certificate, result);
    if (b)
        return tell(w, b, e);
    err_set(e, ERR_UP_REFUSED, "cannot connect to %s: its certificate does not hold: %s", w->name, X509_verify_cert_error_string(result));
    return err_hint(e, HINT_CA);
}

static enum err_code bad_proxy(const struct web_why *w, struct err *e)
{
    static const struct blame other = { 0, ERR_UP_REFUSED, "its proxy does not work", HINT_PROXY };
    const struct blame *b = LOOK_UP(by_socks, number(w, CURLINFO_PROXY_ERROR));
    return tell(w, b ? b : &other, e);
}

static enum err_code bad_tunnel(const struct web_why *w, long status, struct err *e)
{
    const struct blame *b = LOOK_UP(by_connect, status);
    if (b)
        return tell(w, b, e);
    err_set(e, ERR_UP_REFUSED, "cannot connect to %s: its proxy answered %ld", w->name, status);
    return err_hint(e, HINT_URL);
}

enum err_code web_curl_blame(const struct web_why *w, struct err *e)
{
    long tunnel = w->proxied ? number(w, CURLINFO_HTTP_CONNECTCODE) : 0;
    const struct blame *b = LOOK_UP(by_curl, w->rc);
    if (w->rc == CURLE_PEER_FAILED_VERIFICATION)
        return bad_certificate(w, e);
    if (w->rc == CURLE_SSL_CONNECT_ERROR)
        return no_tls(w, e);
    if (w->rc == CURLE_PROXY)
        return bad_proxy(w, e);
    if (tunnel >= 300)
        return bad_tunnel(w, tunnel, e);
    if (w->rc == CURLE_COULDNT_CONNECT)
        return refused(w, e);
    if (b)
        return tell(w, b, e);
    err_set(e, ERR_UP_REFUSED, "cannot connect to %s: %s", w->name, curl_easy_strerror(w->rc));
    return err_hint(e, "%s", w->proxied ? HINT_PROXY : HINT_URL);
}
