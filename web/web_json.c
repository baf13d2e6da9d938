#include "web/web_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_LEAST = 1024, NUMBER_BYTES = 32, ASCII_SPACE = 0x20, ASCII_DELETE = 0x7f };

static bool jsontext_make_room(struct json *json, size_t more)
{
	size_t room = json->room ? json->room : ROOM_LEAST;
	while (room - json->length < more)
		room *= 2;
	if (json->failed || room == json->room)
		return !json->failed;
	char *data = realloc(json->data, room);
	if (!data) {
		json->failed = true;
		return false;
	}
	json->data = data;
	json->room = room;
	return true;
}

void jsontext_raw(struct json *json, const void *data, size_t length)
{
	if (!jsontext_make_room(json, length) || length == 0)
		return;
	memcpy(json->data + json->length, data, length);
	json->length += length;
}

void jsontext_words(struct json *json, const char *words)
{
	jsontext_raw(json, words, strlen(words));
}

void jsontext_free(struct json *json)
{
	free(json->data);
	*json = (struct json){ .data = NULL };
}

/* ---- text ---- */

/* The number of bytes of the character at text; 0: no UTF-8. */
static unsigned jsontext_utf8(const unsigned char *text, size_t length)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = text[0];
	unsigned bytes = c < 0x80   ? 1
	    : c >= 0xf0 && c < 0xf8 ? 4
	    : c >= 0xe0 && c < 0xf0 ? 3
	    : c >= 0xc0 && c < 0xe0 ? 2
				    : 0;
	if (bytes == 0 || bytes > length)
		return 0;
	uint32_t point = bytes == 1 ? c : c & (0x7fU >> bytes);
	for (unsigned i = 1; i < bytes; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (text[i] & 0x3f);
	}
	bool surrogate = point >= 0xd800 && point <= 0xdfff;
	return point < least[bytes] || point > 0x10ffff || surrogate ? 0 : bytes;
}

static bool jsontext_is_plain(unsigned char c)
{
	return c >= ASCII_SPACE && c < ASCII_DELETE && c != '"' && c != '\\' && c != '<' &&
	    c != '>' && c != '&';
}

/* The character at text, escaped; returns the number of bytes read. */
static size_t jsontext_put_special(struct json *json, const unsigned char *text, size_t length)
{
	char escaped[8];
	unsigned bytes = jsontext_utf8(text, length);
	if (bytes == 0) {
		jsontext_words(json, "\xef\xbf\xbd"); /* U+FFFD */
		return 1;
	}
	if (bytes > 1) {
		jsontext_raw(json, text, bytes);
		return bytes;
	}
	snprintf(escaped, sizeof escaped, "\\u%04x", text[0]);
	jsontext_words(json, escaped);
	return 1;
}

static void jsontext_put_string(struct json *json, const unsigned char *text, size_t length)
{
	jsontext_raw(json, "\"", 1);
	for (size_t i = 0; i < length;) {
		size_t plain = 0;
		while (i + plain < length && jsontext_is_plain(text[i + plain]))
			plain++;
		jsontext_raw(json, text + i, plain);
		i += plain;
		if (i < length)
			i += jsontext_put_special(json, text + i, length - i);
	}
	jsontext_raw(json, "\"", 1);
}

/* A comma, if a value stands before, and the key. */
static void jsontext_begin(struct json *json, const char *key)
{
	char last = json->length ? json->data[json->length - 1] : '[';
	if (last != '{' && last != '[' && last != ':' && last != ' ' && last != '\n')
		jsontext_raw(json, ",", 1);
	if (!key)
		return;
	jsontext_put_string(json, (const unsigned char *)key, strlen(key));
	jsontext_raw(json, ":", 1);
}

void jsontext_open(struct json *json, const char *key, char kind)
{
	jsontext_begin(json, key);
	jsontext_raw(json, &kind, 1);
}

void jsontext_close(struct json *json, char kind)
{
	jsontext_raw(json, &kind, 1);
}

void jsontext_bytes(struct json *json, const char *key, const void *data, size_t length)
{
	jsontext_begin(json, key);
	jsontext_put_string(json, data, length);
}

void jsontext_text(struct json *json, const char *key, const char *text)
{
	jsontext_bytes(json, key, text, strlen(text));
}

void jsontext_text_if_any(struct json *json, const char *key, const char *text)
{
	if (text[0])
		jsontext_text(json, key, text);
}

/* ---- other values ---- */

void jsontext_number(struct json *json, const char *key, uint64_t number)
{
	char text[NUMBER_BYTES];
	snprintf(text, sizeof text, "%" PRIu64, number);
	jsontext_begin(json, key);
	jsontext_words(json, text);
}

void jsontext_signed(struct json *json, const char *key, int64_t number)
{
	char text[NUMBER_BYTES];
	snprintf(text, sizeof text, "%" PRId64, number);
	jsontext_begin(json, key);
	jsontext_words(json, text);
}

void jsontext_real(struct json *json, const char *key, double number)
{
	char text[64];
	bool fits = isfinite(number) && fabs(number) < 1e18;
	snprintf(text, sizeof text, "%.3f", fits ? number : 0.0);
	jsontext_begin(json, key);
	jsontext_words(json, text);
}

void jsontext_bool(struct json *json, const char *key, bool value)
{
	jsontext_begin(json, key);
	jsontext_words(json, value ? "true" : "false");
}

void jsontext_ref(struct json *json, const char *key, plm_ref ref)
{
	char text[PLM_REF_TEXT_BYTES];
	if (ref.id == 0) {
		jsontext_begin(json, key);
		jsontext_words(json, "null");
		return;
	}
	plm_ref_print(ref, text);
	jsontext_text(json, key, text);
}
