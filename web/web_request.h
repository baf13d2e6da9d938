/* web_request.h - a request as the routes see it, and the answers that routes give.
 *
 * A route returns a response, and sets the status if it is not 200. NULL: no memory, and the
 * connection is closed. Every response has the headers that keep a browser from guessing, framing
 * and running anything but our files.
 * Blocks: never. */
#ifndef PLM_WEB_REQUEST_H
#define PLM_WEB_REQUEST_H

#include <microhttpd.h>

#include "web/web.h"

struct request {
	struct web *web;
	struct MHD_Connection *connection;
	unsigned status;
};

typedef struct MHD_Response *route_f(struct request *request);

/* A word of the query, or NULL. */
const char *request_word(const struct request *request, const char *key);
/* A number of the query; `standard` if there is none. false: not a number up to `most`. */
bool request_number(const struct request *request, const char *key, uint64_t standard,
    uint64_t most, uint64_t *ret);
/* The reference of the query. false: there is none, or the word is no reference. */
bool request_ref(const struct request *request, const char *key, plm_ref *ret);

/* Takes the text of `json`. */
struct MHD_Response *reply_json(struct request *request, struct json *json);
/* Takes the text of `text`. */
struct MHD_Response *reply_text(struct request *request, struct json *text, const char *type);
/* {"error": sentence} with a status. */
struct MHD_Response *reply_error(struct request *request, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* {"error": plm_why()}: of -errno. */
struct MHD_Response *reply_failure(struct request *request, int error);
/* A file of the page, which lives as long as the program. */
struct MHD_Response *reply_static(const void *data, size_t size, const char *type);
/* The headers of every response. */
void reply_headers(struct MHD_Response *response, const char *type, const char *cache);

/* Opens the runtime for this request; false: *ret is the answer. */
bool request_look(struct request *request, struct MHD_Response **ret);

#endif
