/* fuzz_spec.c - the texts of worker kinds and of needs: a text that is accepted is the same
 * after printing and reading again; a text that is refused has a reason. The first byte chooses
 * the text. */
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "verify/fuzz/fuzz.h"
#include "spec/spec.h"

enum { TEXT_BYTES = WORKER_KINDS_MAX * SPEC_TEXT_BYTES };

static void expect_word(int r)
{
	FUZZ_REQUIRE(r < 0 && why_text()[0]);
}

/* Prints kinds as people see them, all in one text: a kind may have no worker yet, but not all
 * kinds. */
static void print_kinds(
    const struct worker_kind *kind, uint32_t kinds, const struct resource_names *names)
{
	char text[TEXT_BYTES];
	size_t n = 0;
	struct resource_names known = *names;
	struct worker_kind again[WORKER_KINDS_MAX];
	uint32_t found;
	for (uint32_t i = 0; i < kinds; i++) {
		n += spec_print_kind(&kind[i], names, text + n, sizeof text - n);
		FUZZ_REQUIRE(n + 2 < sizeof text);
		text[n++] = ';';
	}
	text[n] = 0;
	FUZZ_REQUIRE(spec_workers(text, &known, again, &found) == 0);
	FUZZ_REQUIRE(found == kinds && memcmp(again, kind, kinds * sizeof *kind) == 0);
}

static void try_workers(const char *text)
{
	struct resource_names names = { 0 };
	struct worker_kind kind[WORKER_KINDS_MAX] = { 0 };
	uint32_t kinds = 0;
	int r = spec_workers(text, &names, kind, &kinds);
	if (r < 0) {
		expect_word(r);
		return;
	}
	FUZZ_REQUIRE(kinds >= 1 && kinds <= WORKER_KINDS_MAX);
	print_kinds(kind, kinds, &names);
}

static void try_needs(const char *text)
{
	static const struct worker_kind plain = {
		.count = 1, .generation = 1, .cpus = 1, .amount = { AMOUNT_UNIT }
	};
	struct resource_names names = { .name = { "cpus", "mem", "gpus", "licence" } };
	struct terms terms = { 0 }, again = { 0 };
	char printed[SPEC_TEXT_BYTES];
	int r = spec_needs(text, &names, &terms);
	if (r < 0) {
		expect_word(r);
		return;
	}
	FUZZ_REQUIRE(terms.alternatives <= ALTERNATIVES_MAX);
	for (uint32_t i = 0; i < terms.alternatives; i++) {
		const struct demand *demand = &terms.alternative[i];
		FUZZ_REQUIRE(
		    spec_print_demand(demand, &names, printed, sizeof printed) < sizeof printed);
		FUZZ_REQUIRE(spec_needs(printed, &names, &again) == 0);
		FUZZ_REQUIRE(memcmp(&again.alternative[0], demand, sizeof *demand) == 0);
	}
	if (needs_fit(&terms, &plain, 1, 0, 0, &names) < 0)
		FUZZ_REQUIRE(why_text()[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	if (length == 0)
		return 0;
	char *text = fuzz_text(data + 1, length - 1);
	why_clear();
	if (data[0] & 1)
		try_workers(text);
	else
		try_needs(text);
	free(text);
	return 0;
}
