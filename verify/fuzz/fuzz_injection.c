/* fuzz_injection.c - the text of faults to inject, and the faults drawn from the text. */
#include <stdlib.h>

#include "base/why.h"
#include "verify/fuzz/fuzz.h"
#include "spec/injection.h"

enum { DRAWS = 16 };

static void fuzz_injection_draw(const struct injections *all, uint32_t generation)
{
	const struct injection *injection = injection_for(all, generation);
	uint64_t chances = 0;
	if (!injection)
		return;
	FUZZ_REQUIRE(injection->delay_min_ns <= injection->delay_max_ns);
	for (int fault = 0; fault < FAULTS; fault++)
		chances += injection->chance[fault];
	FUZZ_REQUIRE(chances <= CHANCE_ALL);
	for (uint64_t task = 0; task < DRAWS; task++) {
		struct injected drawn = inject_draw(injection, task, 1);
		FUZZ_REQUIRE(drawn.fault < FAULTS);
		FUZZ_REQUIRE(drawn.fault != FAULT_DELAY ||
		    (drawn.delay_ns >= injection->delay_min_ns &&
			drawn.delay_ns <= injection->delay_max_ns));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct injections all = { 0 };
	char *text = fuzz_text(data, length);
	why_clear();
	if (injections_parse(text, &all) < 0)
		FUZZ_REQUIRE(why_text()[0]);
	else
		for (uint32_t generation = 1; generation <= GENERATIONS; generation++)
			fuzz_injection_draw(&all, generation);
	free(text);
	return 0;
}
