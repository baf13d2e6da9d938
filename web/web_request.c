#include "web/web_request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "web/web_query.h"

const char *request_word(const struct request *request, const char *key)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, key);
}

bool request_number(
    const struct request *request, const char *key, uint64_t standard, uint64_t most, uint64_t *ret)
{
	const char *word = request_word(request, key);
	*ret = standard;
	return !word || query_number(word, most, ret);
}

bool request_ref(const struct request *request, const char *key, plm_ref *ret)
{
	const char *word = request_word(request, key);
	return word && plm_ref_parse(word, ret) == 0;
}

/* ---- answers ---- */

#define POLICY                                                                              \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "         \
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " \
	"require-trusted-types-for 'script'; trusted-types 'none'"

void reply_headers(struct MHD_Response *response, const char *type, const char *cache)
{
	static const char *const headers[][2] = {
		{ "Content-Security-Policy", POLICY },
		{ "X-Content-Type-Options", "nosniff" },
		{ "X-Frame-Options", "DENY" },
		{ "Referrer-Policy", "no-referrer" },
		{ "Cross-Origin-Opener-Policy", "same-origin" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
	};
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
		MHD_add_response_header(response, headers[i][0], headers[i][1]);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, cache);
}

struct MHD_Response *reply_text(struct request *request, struct json *text, const char *type)
{
	struct MHD_Response *response = NULL;
	(void)request;
	if (!text->failed)
		response = MHD_create_response_from_buffer(
		    text->length, text->data, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		jsontext_free(text);
		return NULL;
	}
	*text = (struct json){ .data = NULL };
	reply_headers(response, type, "no-store");
	return response;
}

struct MHD_Response *reply_json(struct request *request, struct json *json)
{
	jsontext_words(json, "\n");
	return reply_text(request, json, "application/json");
}

struct MHD_Response *reply_error(struct request *request, unsigned status, const char *format, ...)
{
	struct json json = { .data = NULL };
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	request->status = status;
	jsontext_open(&json, NULL, '{');
	jsontext_text(&json, "error", text);
	jsontext_close(&json, '}');
	return reply_json(request, &json);
}

struct MHD_Response *reply_failure(struct request *request, int error)
{
	unsigned status = error == -ESTALE || error == -EXDEV || error == -ENOENT
	    ? MHD_HTTP_NOT_FOUND
	    : error == -EINVAL || error == -ENOTSUP ? MHD_HTTP_BAD_REQUEST
	    : error == -EALREADY                    ? MHD_HTTP_CONFLICT
	    : error == -ENOMEM                      ? MHD_HTTP_INTERNAL_SERVER_ERROR
						    : MHD_HTTP_SERVICE_UNAVAILABLE;
	return reply_error(request, status, "%s", plm_why());
}

struct MHD_Response *reply_static(const void *data, size_t size, const char *type)
{
	/* The library takes a pointer to writable bytes, and writes none of them. */
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(size, (void *)(uintptr_t)data, MHD_RESPMEM_PERSISTENT);
	if (response)
		reply_headers(response, type, "no-cache");
	return response;
}

bool request_look(struct request *request, struct MHD_Response **ret)
{
	struct web *web = request->web;
	int r = look_again(&web->look);
	if (r == LOOK_NEW && live_wants_ticks(web))
		live_see_boot(web);
	if (r >= 0)
		return true;
	*ret =
	    reply_error(request, r == -ENOENT ? MHD_HTTP_NOT_FOUND : MHD_HTTP_SERVICE_UNAVAILABLE,
		"%s", web->look.trouble);
	return false;
}
