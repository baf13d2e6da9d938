/* fuzz_command.c - the stored parts of command tasks: fields, logs, names, inherited attributes.
 * The first byte chooses the part. */
#include <stdlib.h>
#include <string.h>

#include "verify/fuzz/fuzz.h"
#include "tables/command_block.h"
#include "tables/inherited.h"

/* Every field found is in the text, in order, and unchanged when written again. */
static void try_fields(const char *fields, size_t length)
{
	const char *at = NULL, *before = fields, *text;
	enum command_field field;
	char *copy = malloc(length + 1);
	size_t copied = 0;
	while (command_field(fields, length, &at, &field, &text)) {
		FUZZ_REQUIRE(at > before && at <= fields + length);
		FUZZ_REQUIRE(text + strlen(text) + 1 == at);
		copied = command_add(copy, copied, length, field, text);
		before = at;
	}
	FUZZ_REQUIRE(copied == (size_t)(before - fields) && memcmp(copy, fields, copied) == 0);
	free(copy);
}

/* Reads every byte of every text, so that a sanitizer sees a byte outside the block. */
static uint64_t read_all(const char *text, uint64_t n)
{
	uint64_t sum = 0;
	for (uint64_t i = 0; i < n; i++)
		sum += (unsigned char)text[i];
	return sum;
}

static void try_log(const char *data, size_t length)
{
	struct command_log log;
	struct command_texts texts;
	if (!command_log_read(data, length, &log, &texts))
		return;
	uint64_t most = 255 * (uint64_t)length;
	FUZZ_REQUIRE(read_all(texts.command, log.text_bytes) <= most);
	FUZZ_REQUIRE(read_all(texts.out, log.out_kept) <= most);
	FUZZ_REQUIRE(read_all(texts.err, log.err_kept) <= most);
}

static void try_name(const uint8_t *data, size_t length)
{
	char *text = fuzz_text(data, length);
	const char *file = command_out_file(text);
	if (file)
		FUZZ_REQUIRE(file[0] && !strchr(file, '/') && strcmp(file, "..") != 0);
	struct inherited inherited;
	if (inherited_read(text, &inherited))
		FUZZ_REQUIRE(inherited_begins(text) && inherited.limits <= RLIM_NLIMITS);
	if (command_variable(text))
		FUZZ_REQUIRE(text[0] != '=' && strncmp(text, "PLM_", 4) != 0);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	if (length == 0)
		return 0;
	if (data[0] % 3 == 0)
		try_fields((const char *)data + 1, length - 1);
	else if (data[0] % 3 == 1)
		try_log((const char *)data + 1, length - 1);
	else
		try_name(data + 1, length - 1);
	return 0;
}
