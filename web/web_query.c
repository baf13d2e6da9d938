#include "web/web_query.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/plm_inspect.h"

bool query_number(const char *text, uint64_t most, uint64_t *ret)
{
	uint64_t number = 0;
	if (!text[0])
		return false;
	for (const char *at = text; *at; at++) {
		if (*at < '0' || *at > '9')
			return false;
		unsigned digit = (unsigned)(*at - '0');
		if (digit > most || number > (most - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*ret = number;
	return true;
}

static bool query_is(const char *word, size_t length, const char *name)
{
	return strlen(name) == length && strncmp(word, name, length) == 0;
}

static uint32_t query_state(const char *word, size_t length)
{
	for (int i = PLM_STATE_WAITING; i <= PLM_STATE_CANCELLED; i++)
		if (query_is(word, length, plm_state_name(i)))
			return (uint32_t)1 << i;
	return query_is(word, length, "dead") ? PLM_ONLY_DEAD : 0;
}

bool query_states(const char *text, uint32_t *ret)
{
	uint32_t states = 0;
	for (;;) {
		size_t length = strcspn(text, ",");
		uint32_t state = query_state(text, length);
		if (!state)
			return false;
		states |= state;
		if (!text[length])
			break;
		text += length + 1;
	}
	*ret = states;
	return true;
}

int query_choice(const char *text, const char *choices)
{
	for (int i = 0;; i++) {
		size_t length = strcspn(choices, "|");
		if (query_is(choices, length, text))
			return i;
		if (!choices[length])
			return -1;
		choices += length + 1;
	}
}

/* ---- Accept ---- */

/* The quality of a media range in thousandths: 1000 without q=. */
static unsigned query_quality(const char *range, size_t length)
{
	for (size_t i = 0; i + 2 < length; i++) {
		if (range[i] != ';')
			continue;
		size_t at = i + 1;
		while (at < length && (range[at] == ' ' || range[at] == '\t'))
			at++;
		if (at + 2 >= length || (range[at] != 'q' && range[at] != 'Q') ||
		    range[at + 1] != '=')
			continue;
		unsigned quality = range[at + 2] == '1' ? 1000 : 0, weight = 100;
		if (quality == 0 && at + 3 < length && range[at + 3] == '.')
			for (at += 4; at < length && weight && range[at] >= '0' && range[at] <= '9';
			     at++, weight /= 10)
				quality += weight * (unsigned)(range[at] - '0');
		return quality;
	}
	return 1000;
}

static bool query_range_is(const char *range, size_t length, const char *type)
{
	size_t n = strlen(type);
	return length >= n && strncasecmp(range, type, n) == 0 &&
	    (length == n || range[n] == ';' || range[n] == ' ');
}

bool query_accepts_openmetrics(const char *accept)
{
	unsigned open = 0, plain = 0;
	while (*accept) {
		accept += strspn(accept, " \t,");
		size_t length = strcspn(accept, ",");
		unsigned quality = query_quality(accept, length);
		if (query_range_is(accept, length, "application/openmetrics-text") &&
		    quality > open)
			open = quality;
		if (query_range_is(accept, length, "text/plain") && quality > plain)
			plain = quality;
		accept += length;
	}
	return open > 0 && open >= plain;
}
