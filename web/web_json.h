/* web_json.h - a JSON text that grows, for the answers of plmweb.
 *
 * Each call takes the key, NULL inside an array. Commas come by themselves. Text may be any bytes:
 * a byte outside of UTF-8 becomes U+FFFD, and <, > and & are escaped, so that the answer stays
 * harmless even where a browser takes it for HTML.
 * Errors: without memory `failed` is set, and later calls do nothing.
 * Who: one thread.  Blocks: never. */
#ifndef PLM_WEB_JSON_H
#define PLM_WEB_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/plm.h"

struct json {
	char *data; /* no zero at the end */
	size_t length, room;
	bool failed;
};

/* kind: '{' or '['. */
void jsontext_open(struct json *json, const char *key, char kind);
void jsontext_close(struct json *json, char kind); /* '}' or ']' */
void jsontext_text(struct json *json, const char *key, const char *text);
/* Nothing is written for an empty text. */
void jsontext_text_if_any(struct json *json, const char *key, const char *text);
void jsontext_bytes(struct json *json, const char *key, const void *data, size_t length);
void jsontext_number(struct json *json, const char *key, uint64_t number);
void jsontext_signed(struct json *json, const char *key, int64_t number);
/* Three digits behind the point; 0 in the place of infinity and NaN. */
void jsontext_real(struct json *json, const char *key, double number);
void jsontext_bool(struct json *json, const char *key, bool value);
void jsontext_ref(struct json *json, const char *key, plm_ref ref); /* null: PLM_NONE */

/* Bytes as they are, for the frame around a text. */
void jsontext_raw(struct json *json, const void *data, size_t length);
void jsontext_words(struct json *json, const char *words);
void jsontext_free(struct json *json);

#endif
