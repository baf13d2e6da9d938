/* fuzz_reference.c - references of futures and the rest of the short texts that people type:
 * times, names of runtimes. */
#include <stdlib.h>
#include <string.h>

#include "base/scan.h"
#include "base/why.h"
#include "client/plm.h"
#include "verify/fuzz/fuzz.h"
#include "tables/tables.h"

enum { HOUR_MS = 3600000 };

static void try_reference(const char *text)
{
	plm_ref ref, again;
	char printed[PLM_REF_TEXT_BYTES];
	if (plm_ref_parse(text, &ref) < 0) {
		FUZZ_REQUIRE(plm_why()[0]);
		return;
	}
	FUZZ_REQUIRE(plm_ref_print(ref, printed) == 0);
	FUZZ_REQUIRE(plm_ref_parse(printed, &again) == 0);
	FUZZ_REQUIRE(again.id == ref.id && again.runtime == ref.runtime);
}

static void try_time(const char *text)
{
	uint64_t ms = 0;
	if (text_time("--limit", text, HOUR_MS, &ms) == 0)
		FUZZ_REQUIRE(ms <= HOUR_MS);
	else
		FUZZ_REQUIRE(why_text()[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	char *text = fuzz_text(data, length);
	why_clear();
	try_reference(text);
	try_time(text);
	if (tables_check_name(text) == 0)
		FUZZ_REQUIRE(strlen(text) < RUNTIME_NAME_BYTES && !strchr(text, '/'));
	free(text);
	return 0;
}
