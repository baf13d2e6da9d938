/* engine_connect.c - into a Redis: password, database, the functions, the queue. */
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/time.h>

#include "base/check.h"
#include "base/why.h"
#include "fleet/engine_redis.h"
#include "fleet/tls.h"

uint64_t engine_random(void)
{
	uint64_t number = 0;
	while (number == 0 && getrandom(&number, sizeof number, 0) < 0 && errno == EINTR)
		;
	return number ? number : 1;
}

static int connect_refused(const struct engine *e, const redisReply *reply, const char *what)
{
	const char *text = reply ? reply->str : "the connection broke";
	if (!reply && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ETIMEDOUT))
		return why(-ENOTCONN, "%s takes connections and gives no answer within %d ms",
		    e->url.shown, e->timeout_ms);
	if (strstr(text, "WRONGPASS") || strstr(text, "invalid password") || strstr(text, "AUTH"))
		return why(-EACCES,
		    "%s: Redis refuses the user or the password (?password-file=FILE, or "
		    "PLM_FLEET): %.120s",
		    e->url.shown, text);
	if (strstr(text, "NOPERM"))
		return why(-EACCES, "%s: %.200s", e->url.shown, text);
	if (strstr(text, "DB index"))
		return why(-EINVAL, "%s: Redis has no database of this number", e->url.shown);
	return why(-ENOTCONN, "%s: %s: %.200s", e->url.shown, what, text);
}

static int connect_say(const struct engine *e, redisContext *c, const char *const *word, int n)
{
	errno = 0;
	redisReply *reply = redisCommandArgv(c, n, (const char **)(uintptr_t)word, NULL);
	int r = !reply || reply->type == REDIS_REPLY_ERROR ? connect_refused(e, reply, word[0]) : 0;
	if (reply)
		freeReplyObject(reply);
	return r;
}

static int connect_enter(const struct engine *e, redisContext *c)
{
	const struct fleet_url *u = &e->url;
	char db[16];
	snprintf(db, sizeof db, "%d", u->db);
	const char *const with_user[] = { "AUTH", u->user, u->password };
	const char *const without[] = { "AUTH", u->password };
	const char *const select[] = { "SELECT", db };
	int r = 0;
	if (u->user[0])
		r = connect_say(e, c, with_user, 3);
	else if (u->password[0])
		r = connect_say(e, c, without, 2);
	return r == 0 && u->db ? connect_say(e, c, select, 2) : r;
}

/* The address of this machine on the way to Redis: under TLS the context has another descriptor. */
static void connect_note_address(struct engine *e, int fd)
{
	struct sockaddr_storage at = { .ss_family = AF_UNSPEC };
	socklen_t length = sizeof at;
	snprintf(e->own, sizeof e->own, "127.0.0.1");
	if (getsockname(fd, (struct sockaddr *)&at, &length) == 0 && at.ss_family != AF_UNIX)
		getnameinfo(
		    (struct sockaddr *)&at, length, e->own, sizeof e->own, NULL, 0, NI_NUMERICHOST);
}

int engine_connect(struct engine *e, redisContext **ret)
{
	const struct fleet_url *u = &e->url;
	struct timeval limit = { e->timeout_ms / 1000, e->timeout_ms % 1000 * 1000 };
	redisContext *c = u->host[0] ? redisConnectWithTimeout(u->host, u->port, limit)
				     : redisConnectUnixWithTimeout(u->path, limit);
	int r = 0;
	if (!c || c->err)
		r = why(-ENOTCONN, "%s cannot be reached: %s", u->shown,
		    c ? c->errstr : "out of memory");
	if (r == 0)
		connect_note_address(e, c->fd);
	if (r == 0 && u->tls) {
		r = tls_wrap(u, redisFreeKeepFd(c), e->timeout_ms);
		c = r < 0 ? NULL : redisConnectFd(r);
		r = r < 0 ? r : 0;
	}
	if (r == 0 && redisSetTimeout(c, limit) != REDIS_OK)
		r = why(-ENOTCONN, "%s: %s", u->shown, c->errstr);
	if (r == 0)
		r = connect_enter(e, c);
	if (r < 0 && c)
		redisFree(c);
	*ret = r == 0 ? c : NULL;
	return r;
}

/* ---- functions ---- */

int engine_load(struct engine *e)
{
	size_t bytes;
	const char *text = fleet_lua(&bytes);
	const char *const word[] = { "FUNCTION", "LOAD", text };
	const size_t length[] = { 8, 4, bytes };
	int r = engine_command(e, word, length, 3);
	/* Another host was faster. */
	return r == -EIO && strstr(why_text(), "already exists") ? 0 : r;
}

/* A Redis that may evict keys would lose accepted tasks without a word. */
static int connect_judge_memory(struct engine *e)
{
	static const char *const word[] = { "INFO", "memory" };
	static const size_t length[] = { 4, 6 };
	int r = engine_command(e, word, length, 2);
	if (r == -EACCES)
		return 0; /* not allowed to ask: docs/fleet.md says what to set */
	if (r < 0 || e->reply->type != REDIS_REPLY_STRING)
		return r;
	const char *most = strstr(e->reply->str, "\nmaxmemory:");
	const char *policy = strstr(e->reply->str, "\nmaxmemory_policy:");
	if (!most || !policy || strtoull(most + 11, NULL, 10) == 0 ||
	    strncmp(policy + 18, "noeviction", 10) == 0)
		return 0;
	return why(-EPROTO,
	    "%s: maxmemory-policy is %.*s, so Redis would throw away accepted tasks when its "
	    "memory is full: set it to noeviction",
	    e->url.shown, (int)strcspn(policy + 18, "\r\n"), policy + 18);
}

/* The functions in Redis are ours, byte for byte: a fleet of two versions would be of neither. */
static int connect_compare_functions(struct engine *e)
{
	static const char *const word[] = { "FUNCTION", "LIST", "LIBRARYNAME", ENGINE_FUNCTIONS,
		"WITHCODE" };
	static const size_t length[] = { 8, 4, 11, sizeof ENGINE_FUNCTIONS - 1, 8 };
	size_t bytes;
	const char *ours = fleet_lua(&bytes);
	int r = engine_command(e, word, length, 5);
	if (r < 0)
		return r == -EACCES ? 0 : r;
	const redisReply *library = engine_part(e, 0);
	if (!library)
		return engine_load(e);
	for (size_t i = 0; i + 1 < library->elements; i += 2) {
		const redisReply *name = library->element[i], *code = library->element[i + 1];
		if (name->type == REDIS_REPLY_STRING && strcmp(name->str, "library_code") == 0 &&
		    (code->len != bytes || memcmp(code->str, ours, bytes) != 0))
			return why(-EPROTO,
			    "%s: the functions %s in Redis are of another build of plm: use one "
			    "version on all hosts, or, when none is up, redis-cli FUNCTION "
			    "DELETE %s",
			    e->url.shown, ENGINE_FUNCTIONS, ENGINE_FUNCTIONS);
	}
	return 0;
}

static int connect_open_queue(struct engine *e)
{
	enum { SECRET = 3 };
	char epoch[24], former[24], secret[CARRY_HASH_TEXT];
	snprintf(epoch, sizeof epoch, "%" PRIx64, engine_random());
	snprintf(former, sizeof former, "%s", e->epoch);
	snprintf(e->epoch, sizeof e->epoch, "%s", epoch);
	engine_begin(e, "open");
	snprintf(e->epoch, sizeof e->epoch, "%s", former);
	engine_number(e, (int64_t)e->url.lease_ms);
	engine_number(e, (int64_t)e->url.keep_ms);
	carry_draw_secret(secret);
	engine_text(e, secret);
	int r = engine_call(e);
	if (r < 0)
		return r;
	bool other = former[0] && strcmp(engine_part_text(e, 0), former) != 0;
	snprintf(e->epoch, sizeof e->epoch, "%s", engine_part_text(e, 0));
	e->epoch_number = strtoull(e->epoch, NULL, 16);
	e->lease_ms = (uint64_t)engine_part_number(e, 1);
	if (!carry_secret(engine_part_text(e, SECRET), e->secret))
		return why(-EPROTO, "%s: the queue has no secret for large values", e->url.shown);
	return other ? why(-EXDEV, "%s: the queue was replaced by another one", e->url.shown) : 0;
}

static int connect_all(struct engine *e)
{
	int r = engine_connect(e, &e->verbs);
	if (r == 0)
		r = connect_judge_memory(e);
	if (r == 0)
		r = connect_compare_functions(e);
	if (r == 0)
		r = connect_open_queue(e);
	return r;
}

int engine_open(struct engine **ret, const struct fleet_url *url, int timeout_ms)
{
	struct engine *e = calloc(1, sizeof *e);
	*ret = NULL;
	if (!e)
		return why(-ENOMEM, "out of memory");
	e->url = *url;
	e->timeout_ms = timeout_ms;
	snprintf(e->prefix, sizeof e->prefix, "plm:{%s}:", url->queue);
	int r = connect_all(e);
	if (r < 0)
		engine_close(&e);
	*ret = e;
	return r;
}

int engine_reopen(struct engine *e)
{
	if (e->verbs)
		redisFree(e->verbs);
	if (e->heard)
		redisFree(e->heard);
	e->verbs = e->heard = NULL;
	int r = connect_all(e);
	if (r == 0 && e->channel[0])
		r = engine_hear(e, e->channel);
	return r;
}

void engine_close(struct engine **ep)
{
	struct engine *e = *ep;
	*ep = NULL;
	if (!e)
		return;
	if (e->reply)
		freeReplyObject(e->reply);
	if (e->news)
		freeReplyObject(e->news);
	if (e->verbs)
		redisFree(e->verbs);
	if (e->heard)
		redisFree(e->heard);
	explicit_bzero(e->url.password, sizeof e->url.password);
	explicit_bzero(e->secret, sizeof e->secret);
	free(e->request);
	free(e->end);
	free(e);
}

const char *engine_shown(const struct engine *e)
{
	return e->url.shown;
}

uint64_t engine_epoch(const struct engine *e)
{
	return e->epoch_number;
}

uint64_t engine_lease_ms(const struct engine *e)
{
	return e->lease_ms;
}

/* A number of the queue in the form of a reference, whose second part is never 0. */
const uint8_t *engine_secret(const struct engine *e)
{
	return e->secret;
}

const char *engine_own_address(const struct engine *e)
{
	return e->own;
}

/* The halves of a reference: the low 32 bits of the task; 1, the next four bits of the task, and
 * the number of the result. */
enum { REF_HIGH_BITS = ENGINE_TASK_BITS - 32 };

plm_ref engine_ref_of(uint64_t epoch, uint64_t id)
{
	uint64_t high = engine_task_id(id) >> 32 | (uint64_t)engine_part_of(id) << REF_HIGH_BITS;
	return (plm_ref){ .id = (id & UINT32_MAX) | (high + 1) << 32, .runtime = epoch };
}

plm_ref engine_ref(const struct engine *e, uint64_t id)
{
	return engine_ref_of(e->epoch_number, id);
}

bool engine_id_of(uint64_t epoch, plm_ref ref, uint64_t *ret_id)
{
	uint64_t high = (ref.id >> 32) - 1;
	*ret_id = ref.runtime == epoch && ref.id >> 32
	    ? engine_value_id((ref.id & UINT32_MAX) | (high & ((1 << REF_HIGH_BITS) - 1)) << 32,
		  (unsigned)(high >> REF_HIGH_BITS))
	    : 0;
	return *ret_id != 0;
}

int engine_id(const struct engine *e, plm_ref ref, uint64_t *ret_id)
{
	return engine_id_of(e->epoch_number, ref, ret_id)
	    ? 0
	    : why(-EXDEV, "the reference is of another fleet or runtime than %s", e->url.shown);
}
