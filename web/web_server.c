#include "web/web_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "web/web_assets.h"
#include "web/web_routes.h"

enum { HEADER_BYTES = 8 << 10, BODY_BYTES = 4 << 10, QUIET_S = PEERS_REQUEST_S };

struct exchange { /* a request under way */
	const struct route *route;
	struct hand_job *job; /* given to the hand thread, or come back */
	bool done;
	size_t body;
	struct MHD_Connection *connection;
	struct exchange *next; /* of those that wait for the hand thread */
};

static struct exchange *server_waiting;

static const char *server_header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static enum MHD_Result server_reply(struct request *request, struct MHD_Response *response)
{
	if (!response)
		return MHD_NO;
	enum MHD_Result result = MHD_queue_response(request->connection, request->status, response);
	MHD_destroy_response(response);
	return result;
}

/* ---- who is let in ---- */

static bool server_is_our_user(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *peer =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *address = peer ? peer->client_addr : NULL;
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	return address && info && guard_peer(info->connect_fd, address);
}

/* NULL: the request is let in. */
static struct MHD_Response *server_refuse(
    struct request *request, const struct route *route, bool post)
{
	struct web *web = request->web;
	const struct guard_headers headers = {
		.host = server_header(request->connection, "Host"),
		.origin = server_header(request->connection, "Origin"),
		.site = server_header(request->connection, "Sec-Fetch-Site"),
		.mode = server_header(request->connection, "Sec-Fetch-Mode"),
		.authorization = server_header(request->connection, "Authorization"),
	};
	bool public = route && route->flags & ROUTE_PUBLIC;
	if (!guard_host(headers.host, web->hosts, web->host_count))
		return reply_error(request, MHD_HTTP_MISDIRECTED_REQUEST,
		    "the Host header names no host of this server; allow a name with "
		    "plmweb --host NAME");
	if (!guard_site(&headers, !route))
		return reply_error(request, MHD_HTTP_FORBIDDEN,
		    "a page of another site sent this request, and plmweb answers its own page");
	if (!public && !web->any_user && !server_is_our_user(request->connection))
		return reply_error(request, MHD_HTTP_FORBIDDEN,
		    "this server belongs to another user of the machine (plmweb --any-user lets "
		    "all users in)");
	if (!post)
		return NULL;
	if (web->read_only)
		return reply_error(request, MHD_HTTP_FORBIDDEN,
		    "plmweb was started with --read-only, so there are no actions");
	if (!guard_token(headers.authorization, web->token))
		return reply_error(request, MHD_HTTP_UNAUTHORIZED,
		    "the token is missing or wrong: plmweb printed the token when it started");
	return NULL;
}

static struct MHD_Response *server_wrong_method(struct request *request, const char *allowed)
{
	struct MHD_Response *response =
	    reply_error(request, MHD_HTTP_METHOD_NOT_ALLOWED, "this path answers %s", allowed);
	if (response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allowed);
	return response;
}

/* ---- a request without a body ---- */

static struct MHD_Response *server_file(struct request *request, const char *path)
{
	bool fleet = request->web->fleet && strcmp(path, "/") == 0;
	const struct asset *asset = asset_find(fleet ? "/fleet" : path);
	return asset
	    ? reply_static(asset->begin, (size_t)(asset->end - asset->begin), asset->type)
	    : reply_error(request, MHD_HTTP_NOT_FOUND, "there is no such path; see web/README.md");
}

static struct MHD_Response *server_answer(
    struct request *request, const struct route *route, const char *path, const char *method)
{
	bool get =
	    strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
	bool action = route && route->flags & ROUTE_ACTION;
	bool post = action && strcmp(method, MHD_HTTP_METHOD_POST) == 0;
	struct MHD_Response *refusal = server_refuse(request, route, post);
	if (refusal) {
		request->web->refused++;
		return refusal;
	}
	if (!post && (!get || action))
		return server_wrong_method(request, action ? "POST" : "GET, HEAD");
	return post ? NULL : route ? route->answer(request) : server_file(request, path);
}

/* ---- actions ---- */

static enum MHD_Result server_begin_action(struct request *request, struct exchange *exchange)
{
	struct MHD_Response *response = NULL;
	struct hand_job *job = route_job(exchange->route, request, &response);
	if (!job)
		return server_reply(request, response);
	job->owner = exchange;
	if (hand_give(&request->web->hand, job) < 0) {
		free(job);
		return server_reply(request,
		    reply_error(request, MHD_HTTP_SERVICE_UNAVAILABLE,
			"too many actions wait: try again later"));
	}
	exchange->job = job;
	exchange->connection = request->connection;
	exchange->next = server_waiting;
	server_waiting = exchange;
	MHD_suspend_connection(request->connection);
	return MHD_YES;
}

static void server_stop_waiting(struct exchange *exchange)
{
	struct exchange **at = &server_waiting;
	while (*at && *at != exchange)
		at = &(*at)->next;
	if (*at)
		*at = exchange->next;
}

void server_job_done(struct web *web, struct hand_job *job)
{
	struct exchange *exchange = job->owner;
	(void)web;
	server_stop_waiting(exchange);
	exchange->done = true;
	MHD_resume_connection(exchange->connection);
}

static enum MHD_Result server_action(
    struct request *request, struct exchange *exchange, size_t *upload)
{
	if (*upload) {
		exchange->body += *upload;
		*upload = 0;
		return exchange->body > BODY_BYTES ? MHD_NO : MHD_YES;
	}
	if (!exchange->job)
		return server_begin_action(request, exchange);
	if (!exchange->done)
		return MHD_YES;
	return server_reply(request, route_answer_job(request, exchange->job));
}

/* ---- the server library ---- */

static enum MHD_Result server_take(void *context, struct MHD_Connection *connection,
    const char *path, const char *method, const char *version, const char *upload,
    size_t *upload_size, void **state)
{
	struct request request = {
		.web = context, .connection = connection, .status = MHD_HTTP_OK
	};
	struct exchange *exchange = *state;
	(void)version;
	(void)upload;
	if (exchange)
		return server_action(&request, exchange, upload_size);
	const struct route *route = route_find(request.web, path);
	peers_asked(connection);
	request.web->requests++;
	struct MHD_Response *response = server_answer(&request, route, path, method);
	if (response || request.status != MHD_HTTP_OK || !route || route->answer)
		return server_reply(&request, response);
	exchange = calloc(1, sizeof *exchange);
	if (!exchange)
		return MHD_NO;
	exchange->route = route;
	*state = exchange;
	return MHD_YES;
}

static void server_completed(void *context, struct MHD_Connection *connection, void **state,
    enum MHD_RequestTerminationCode code)
{
	struct exchange *exchange = *state;
	(void)context;
	(void)code;
	peers_answered(connection);
	if (!exchange)
		return;
	server_stop_waiting(exchange);
	free(exchange->job);
	free(exchange);
	*state = NULL;
}

int server_begin(struct web *web, int listener)
{
	web->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
	    server_take, web, MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_NOTIFY_COMPLETED,
	    server_completed, web, MHD_OPTION_NOTIFY_CONNECTION, peers_notify, &web->peers,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)SERVER_CONNECTIONS,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)QUIET_S, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	return web->daemon
	    ? 0
	    : why(-EIO, "the server could not be started: too few descriptors or no memory");
}

int server_descriptor(const struct web *web)
{
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(web->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	return info ? info->epoll_fd : -1;
}

int server_timeout_ms(const struct web *web)
{
	MHD_UNSIGNED_LONG_LONG ms;
	if (MHD_get_timeout(web->daemon, &ms) != MHD_YES)
		return -1;
	return ms > 60000 ? 60000 : (int)ms;
}

void server_run(struct web *web)
{
	peers_sweep(&web->peers);
	MHD_run(web->daemon);
}

void server_end(struct web *web)
{
	while (server_waiting) {
		struct exchange *exchange = server_waiting;
		server_stop_waiting(exchange);
		MHD_resume_connection(exchange->connection);
	}
	live_end(web);
	MHD_stop_daemon(web->daemon);
}
