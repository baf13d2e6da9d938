#include "fleet/tls.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/why.h"

enum { PIECE_BYTES = 64 << 10, ANSWER_BYTES = 512 };

/* ---- OpenSSL ---- */

#define TLS_CALLS(CALL)                          \
	CALL(TLS_client_method)                  \
	CALL(SSL_CTX_new)                        \
	CALL(SSL_CTX_free)                       \
	CALL(SSL_CTX_ctrl)                       \
	CALL(SSL_CTX_set_verify)                 \
	CALL(SSL_CTX_set_default_verify_paths)   \
	CALL(SSL_CTX_load_verify_locations)      \
	CALL(SSL_CTX_use_certificate_chain_file) \
	CALL(SSL_CTX_use_PrivateKey_file)        \
	CALL(SSL_new)                            \
	CALL(SSL_free)                           \
	CALL(SSL_ctrl)                           \
	CALL(SSL_set1_host)                      \
	CALL(SSL_get0_param)                     \
	CALL(X509_VERIFY_PARAM_set1_ip_asc)      \
	CALL(SSL_set_fd)                         \
	CALL(SSL_connect)                        \
	CALL(SSL_read)                           \
	CALL(SSL_write)                          \
	CALL(SSL_get_error)                      \
	CALL(SSL_get_verify_result)              \
	CALL(X509_verify_cert_error_string)      \
	CALL(ERR_get_error)                      \
	CALL(ERR_clear_error)                    \
	CALL(ERR_reason_error_string)

#define TLS_MEMBER(name) __typeof__(&name) name;
static struct tls_calls {
	TLS_CALLS(TLS_MEMBER)
} tls;

static int tls_load(void)
{
	static bool loaded;
	if (loaded)
		return 0;
	void *library = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return why(
		    -EPROTO, "rediss:// needs OpenSSL 3 (apt-get install libssl3): %s", dlerror());
#define TLS_FIND(name)                                      \
	if (!(*(void **)&tls.name = dlsym(library, #name))) \
		return why(-EPROTO, "rediss:// needs OpenSSL 3: %s", dlerror());
	TLS_CALLS(TLS_FIND)
	loaded = true;
	return 0;
}

struct tls_link { /* of one connection; the thread owns it from its start on */
	SSL_CTX *context;
	SSL *ssl;
	int socket, near;
	bool met;                                /* the server has shown itself */
	char up[PIECE_BYTES], down[PIECE_BYTES]; /* on the way to Redis, and back */
	size_t ups, downs, down_from;
};

static void tls_free(struct tls_link *link)
{
	if (link->ssl)
		tls.SSL_free(link->ssl);
	if (link->context)
		tls.SSL_CTX_free(link->context);
	if (link->near >= 0)
		close(link->near);
	close(link->socket);
	free(link);
}

static const char *tls_reason(void)
{
	const char *reason = tls.ERR_reason_error_string(tls.ERR_get_error());
	return reason ? reason : errno ? strerror(errno) : "the connection broke";
}

/* ---- certificates ---- */

static int tls_refused(const struct fleet_url *u, const char *option, const char *path)
{
	return why(-EACCES, "%s: %s=%s: %s", u->shown, option, path, tls_reason());
}

static int tls_trust(const struct fleet_url *u, SSL_CTX *context)
{
	if (u->tls_unchecked) {
		tls.SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
		return 0;
	}
	tls.SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	if (!u->cacert[0])
		return tls.SSL_CTX_set_default_verify_paths(context) == 1
		    ? 0
		    : tls_refused(u, "the certificates of the system", "");
	return tls.SSL_CTX_load_verify_locations(context, u->cacert, NULL) == 1
	    ? 0
	    : tls_refused(u, "cacert", u->cacert);
}

static int tls_identify(const struct fleet_url *u, SSL_CTX *context)
{
	const char *key = u->key[0] ? u->key : u->cert;
	if (!u->cert[0])
		return 0;
	if (tls.SSL_CTX_use_certificate_chain_file(context, u->cert) != 1)
		return tls_refused(u, "cert", u->cert);
	return tls.SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1
	    ? 0
	    : tls_refused(u, "key", key);
}

/* The certificate has to be for the host of the address, a name or a number. */
static bool tls_name(const struct fleet_url *u, SSL *ssl)
{
	if (tls.X509_VERIFY_PARAM_set1_ip_asc(tls.SSL_get0_param(ssl), u->host) == 1)
		return true;
	return tls.SSL_set1_host(ssl, u->host) == 1 &&
	    tls.SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
		(char *)(uintptr_t)u->host) == 1;
}

static int tls_prepare(const struct fleet_url *u, struct tls_link *link)
{
	tls.ERR_clear_error();
	link->context = tls.SSL_CTX_new(tls.TLS_client_method());
	CHECK(link->context);
	tls.SSL_CTX_ctrl(link->context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
	int r = tls_trust(u, link->context);
	if (r == 0)
		r = tls_identify(u, link->context);
	if (r < 0)
		return r;
	link->ssl = tls.SSL_new(link->context);
	CHECK(link->ssl);
	if (!tls_name(u, link->ssl) || tls.SSL_set_fd(link->ssl, link->socket) != 1)
		return why(-EPROTO, "%s: TLS: %s", u->shown, tls_reason());
	return 0;
}

/* ---- the first words ---- */

/* A step returned `done`; true if it is to be taken again, with *ret_events to wait for. */
static bool tls_again(const struct tls_link *link, int done, short *ret_events)
{
	int error = tls.SSL_get_error(link->ssl, done);
	*ret_events = error == SSL_ERROR_WANT_READ ? POLLIN
	    : error == SSL_ERROR_WANT_WRITE        ? POLLOUT
						   : 0;
	return *ret_events != 0;
}

static int tls_failed(const struct fleet_url *u, const struct tls_link *link)
{
	long verdict = tls.SSL_get_verify_result(link->ssl);
	if (u->tls_unchecked || verdict == X509_V_OK)
		return why(-ENOTCONN, "%s: TLS: %s%s", u->shown, tls_reason(),
		    !link->met       ? "; is this the port for TLS (tls-port)?"
			: u->cert[0] ? ""
				     : "; Redis may want a certificate of its clients: cert=FILE");
	bool other =
	    verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH;
	return why(-EACCES, "%s: the certificate of the server is %s: %s; %s", u->shown,
	    other ? "for another host" : "not trusted", tls.X509_verify_cert_error_string(verdict),
	    other ? "give the name that stands in it"
		  : "give the certificate of its CA with cacert=FILE");
}

static int tls_step(struct tls_link *link, int (*step)(struct tls_link *), uint64_t deadline_ns)
{
	short events;
	for (;;) {
		errno = 0;
		tls.ERR_clear_error();
		int done = step(link);
		if (done > 0)
			return done;
		if (!tls_again(link, done, &events))
			return -EIO;
		struct pollfd p = { .fd = link->socket, .events = events };
		uint64_t now = clock_ns();
		int ms = now < deadline_ns ? (int)((deadline_ns - now) / NS_PER_MS) + 1 : 0;
		if (ms == 0 || poll(&p, 1, ms) == 0) {
			errno = ETIMEDOUT;
			return -ETIMEDOUT;
		}
	}
}

static int tls_shake(struct tls_link *link)
{
	return tls.SSL_connect(link->ssl);
}

static int tls_ping(struct tls_link *link)
{
	return tls.SSL_write(link->ssl, "PING\r\n", 6);
}

static int tls_answer(struct tls_link *link)
{
	int n = tls.SSL_read(link->ssl, link->down + link->downs, ANSWER_BYTES);
	link->downs += n > 0 ? (size_t)n : 0;
	return n;
}

/* Under TLS 1.3 a server tells only after the handshake that it does not like the client: so the
 * first answer is awaited here. NOAUTH is an answer, too. */
static int tls_begin(const struct fleet_url *u, struct tls_link *link, int timeout_ms)
{
	uint64_t deadline_ns = deadline_after_ms(timeout_ms);
	int r = tls_step(link, tls_shake, deadline_ns);
	link->met = r > 0;
	if (r > 0)
		r = tls_step(link, tls_ping, deadline_ns);
	while (r > 0 && (link->downs == 0 || link->down[link->downs - 1] != '\n') &&
	    link->downs < ANSWER_BYTES)
		r = tls_step(link, tls_answer, deadline_ns);
	link->downs = 0;
	return r > 0 ? 0 : tls_failed(u, link);
}

/* ---- the thread ---- */

enum tls_progress { TLS_MOVED, TLS_WAITS, TLS_OVER };

static enum tls_progress tls_after(ssize_t n, short event, short *events)
{
	if (n > 0)
		return TLS_MOVED;
	*events |= event;
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? TLS_WAITS : TLS_OVER;
}

static enum tls_progress tls_move_up(struct tls_link *link, struct pollfd p[2])
{
	short events;
	if (link->ups == 0) {
		ssize_t n = read(link->near, link->up, sizeof link->up);
		link->ups = n > 0 ? (size_t)n : 0;
		if (n <= 0)
			return tls_after(n, POLLIN, &p[1].events);
	}
	tls.ERR_clear_error();
	int done = tls.SSL_write(link->ssl, link->up, (int)link->ups);
	if (done > 0) {
		link->ups = 0;
		return TLS_MOVED;
	}
	bool again = tls_again(link, done, &events);
	p[0].events |= events;
	return again ? TLS_WAITS : TLS_OVER;
}

static enum tls_progress tls_move_down(struct tls_link *link, struct pollfd p[2])
{
	short events;
	if (link->downs == 0) {
		tls.ERR_clear_error();
		int done = tls.SSL_read(link->ssl, link->down, sizeof link->down);
		if (done <= 0) {
			bool again = tls_again(link, done, &events);
			p[0].events |= events;
			return again ? TLS_WAITS : TLS_OVER;
		}
		link->downs = (size_t)done;
		link->down_from = 0;
	}
	ssize_t n = send(link->near, link->down + link->down_from, link->downs, MSG_NOSIGNAL);
	link->down_from += n > 0 ? (size_t)n : 0;
	link->downs -= n > 0 ? (size_t)n : 0;
	return tls_after(n, POLLOUT, &p[1].events);
}

static void *tls_relay(void *argument)
{
	struct tls_link *link = argument;
	for (;;) {
		struct pollfd p[2] = { { .fd = link->socket }, { .fd = link->near } };
		enum tls_progress up = tls_move_up(link, p), down = tls_move_down(link, p);
		if (up == TLS_OVER || down == TLS_OVER)
			break;
		if (up == TLS_WAITS && down == TLS_WAITS && poll(p, 2, -1) < 0 && errno != EINTR)
			break;
	}
	tls_free(link);
	return NULL;
}

/* No signal is for the thread; SIGPIPE is an error of a write there. */
static int tls_start(struct tls_link *link)
{
	sigset_t all, before;
	pthread_t thread;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(&thread, NULL, tls_relay, link);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		pthread_detach(thread);
	return r == 0 ? 0 : why(-EPROTO, "TLS needs a thread: %s", strerror(r));
}

int tls_wrap(const struct fleet_url *url, int socket, int timeout_ms)
{
	int pair[2] = { -1, -1 };
	struct tls_link *link = calloc(1, sizeof *link);
	CHECK(link);
	link->socket = socket;
	link->near = -1;
	fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK);
	int r = tls_load();
	if (r == 0)
		r = tls_prepare(url, link);
	if (r == 0)
		r = tls_begin(url, link, timeout_ms);
	if (r == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		r = why(-EPROTO, "socketpair: %s", strerror(errno));
	if (r == 0) {
		link->near = pair[1];
		fcntl(pair[1], F_SETFL, O_NONBLOCK);
		r = tls_start(link);
	}
	if (r == 0)
		return pair[0];
	if (pair[0] >= 0)
		close(pair[0]);
	tls_free(link);
	return r;
}
