#include "cli/map/map_halt.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ctl_command.h"

enum {
	HALT_BYTES = 64,
	PERCENT = 100,
	PERCENT_OF_LEAST = 3 /* of fewer jobs a percentage tells nothing */
};

static bool halt_take(const char **at, const char *word)
{
	size_t n = strlen(word);
	if (strncmp(*at, word, n) != 0)
		return false;
	*at += n;
	return true;
}

/* The old forms of GNU parallel: 0, 1, 2, -1, -2 and N%. Another text stays. */
static const char *halt_old_form(const char *text, char ret[HALT_BYTES])
{
	static const char *const forms[][2] = { { "0", "never" }, { "1", "soon,fail=1" },
		{ "2", "now,fail=1" }, { "-1", "soon,success=1" }, { "-2", "now,success=1" } };
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
		if (strcmp(text, forms[i][0]) == 0)
			return forms[i][1];
	size_t n = strspn(text, "0123456789");
	if (n == 0 || strcmp(text + n, "%") != 0)
		return text;
	snprintf(ret, HALT_BYTES, "soon,fail=%s", text);
	return ret;
}

bool halt_parse(const char *text, struct halt *ret)
{
	char old[HALT_BYTES];
	text = halt_old_form(text, old);
	struct halt halt = { .when = HALT_SOON };
	const char *at = text;
	*ret = (struct halt){ .when = HALT_NEVER };
	if (strcmp(text, "never") == 0)
		return true;
	if (halt_take(&at, "now,"))
		halt.when = HALT_NOW;
	else if (!halt_take(&at, "soon,"))
		return false;
	if (halt_take(&at, "success="))
		halt.what = HALT_SUCCESS;
	else if (halt_take(&at, "done="))
		halt.what = HALT_DONE;
	else if (!halt_take(&at, "fail="))
		return false;
	char *end;
	unsigned long count = strtoul(at, &end, 10);
	halt.percent = strcmp(end, "%") == 0;
	halt.count = (unsigned)count;
	if (*at < '0' || *at > '9' || count == 0 || count > INT_MAX || (*end && !halt.percent) ||
	    (halt.percent && count > PERCENT))
		return false;
	*ret = halt;
	return true;
}

static uint64_t halt_counted(const struct halt *halt, const struct tally *tally)
{
	return halt->what == HALT_FAIL ? tally->failed
	    : halt->what == HALT_DONE  ? tally->done
				       : tally->done - tally->failed;
}

bool halt_reached(const struct halt *halt, const struct tally *tally)
{
	uint64_t of = tally->total ? tally->total : tally->done;
	if (halt->when == HALT_NEVER)
		return false;
	if (!halt->percent)
		return halt_counted(halt, tally) >= halt->count;
	return tally->done >= PERCENT_OF_LEAST &&
	    halt_counted(halt, tally) * PERCENT >= halt->count * of;
}

int halt_exit_code(const struct halt *halt, const struct tally *tally)
{
	uint64_t of = tally->total ? tally->total : tally->done, failures = tally->failed;
	bool reached = halt_reached(halt, tally);
	if (reached && halt->what == HALT_SUCCESS)
		return EXIT_FINE;
	if (reached && halt->what == HALT_FAIL && halt->count == 1 && !halt->percent)
		return tally->last_failure;
	if (halt->when != HALT_NEVER && halt->percent && of)
		return (int)((failures * PERCENT + of - 1) / of);
	return failures > EXIT_COUNT_MAX ? EXIT_COUNT_MAX + 1 : (int)failures;
}
