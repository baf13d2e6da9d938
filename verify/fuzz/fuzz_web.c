/* fuzz_web.c - plmweb: Host, Origin and token; words of a query, places; any bytes as JSON. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "client/plm_inspect.h"
#include "verify/fuzz/fuzz.h"
#include "web/web_guard.h"
#include "web/web_json.h"
#include "web/web_order.h"
#include "web/web_query.h"

static const char token[] = "0123456789abcdef0123456789abcdef";

/* Nobody is let in by a name that is not ours. */
static void try_guard(const char *text)
{
	static const char *const names[] = { "board.example" };
	const struct guard_headers headers = { .host = text, .origin = text, .site = text };
	if (guard_host(text, names, 1)) {
		FUZZ_REQUIRE(text[0]);
		FUZZ_REQUIRE(!strpbrk(text, "/@ \t\r\n"));
	}
	FUZZ_REQUIRE(!guard_site(&headers, false)); /* no text is a Host and its own Origin */
	FUZZ_REQUIRE(!guard_token(text, ""));
	if (guard_token(text, token))
		FUZZ_REQUIRE(strlen(text) == strlen("Bearer ") + strlen(token));
}

static void try_query(const char *text)
{
	uint64_t number = 0;
	uint32_t states = 0;
	if (query_number(text, 1000, &number))
		FUZZ_REQUIRE(number <= 1000 && strspn(text, "0123456789") == strlen(text));
	if (query_states(text, &states))
		FUZZ_REQUIRE(states != 0);
	FUZZ_REQUIRE(query_choice(text, "a|bc|d") < 3);
	if (query_accepts_openmetrics(text))
		FUZZ_REQUIRE(strcasestr(text, "application/openmetrics-text"));
}

/* A place that is understood has one form, which is understood as the same place. */
static void try_place(const char *text)
{
	struct order order = { .by = ORDER_RUN };
	struct order_place place;
	char once[ORDER_PLACE_BYTES], again[ORDER_PLACE_BYTES];
	if (!order_read_place(text, &order.after))
		return;
	order_print_place(&order, NULL, once);
	FUZZ_REQUIRE(order_read_place(once, &place));
	FUZZ_REQUIRE(place.at_ms == order.after.at_ms && place.first == order.after.first);
	FUZZ_REQUIRE(place.first ||
	    (place.key == order.after.key && place.position == order.after.position));
	order.after = place;
	order_print_place(&order, NULL, again);
	FUZZ_REQUIRE(strcmp(once, again) == 0);
}

/* jansson reads what we write, and finds the number of values that we wrote. No byte of the text
 * can open a tag or end a line, where the answer is a server-sent event. */
static void try_json(const uint8_t *data, size_t length)
{
	struct json json = { .data = NULL };
	jsontext_open(&json, NULL, '{');
	jsontext_bytes(&json, "text", data, length);
	jsontext_open(&json, "list", '[');
	jsontext_bytes(&json, NULL, data, length / 2);
	jsontext_number(&json, NULL, length);
	jsontext_real(&json, NULL, (double)length / 3);
	jsontext_close(&json, ']');
	jsontext_bool(&json, "end", true);
	jsontext_close(&json, '}');
	FUZZ_REQUIRE(!json.failed);
	FUZZ_REQUIRE(!memchr(json.data, '<', json.length) && !memchr(json.data, '\n', json.length));
	json_error_t error;
	json_t *read = json_loadb(json.data, json.length, JSON_ALLOW_NUL, &error);
	FUZZ_REQUIRE(read && json_object_size(read) == 3);
	FUZZ_REQUIRE(json_array_size(json_object_get(read, "list")) == 3);
	FUZZ_REQUIRE(json_is_string(json_object_get(read, "text")));
	json_decref(read);
	jsontext_free(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	char *text = fuzz_text(data, length);
	try_guard(text);
	try_query(text);
	try_place(text);
	try_json(data, length);
	free(text);
	return 0;
}
