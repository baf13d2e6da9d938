/* ref_text.c - references as text: @RECORD.GENERATION.RUNTIME, in hexadecimal. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/why.h"
#include "client/handle.h"

static int ref_print(plm_ref ref, char text[PLM_REF_TEXT_BYTES])
{
	int n = snprintf(text, PLM_REF_TEXT_BYTES, "@%" PRIx32 ".%" PRIx32 ".%" PRIx64,
	    ref_index(ref.id), ref_generation(ref.id), ref.runtime);
	return n < PLM_REF_TEXT_BYTES ? 0 : -EINVAL;
}

int plm_ref_print(plm_ref ref, char text[PLM_REF_TEXT_BYTES])
{
	unsigned said = why_count();
	if (!text)
		return why(-EINVAL, "plm_ref_print: no place for the text");
	return handle_end(said, ref_print(ref, text));
}

static int ref_parse(const char *text, plm_ref *ret)
{
	uint32_t index, generation;
	uint64_t runtime;
	int used = 0;
	const char *digits = text[0] == '@' ? text + 1 : text;
	size_t good =
	    strspn(digits, "0123456789abcdefABCDEF."); /* sscanf would take signs and blanks */
	if (digits[good] != 0 ||
	    sscanf(digits, "%8" SCNx32 ".%8" SCNx32 ".%16" SCNx64 "%n", &index, &generation,
		&runtime, &used) != 3 ||
	    digits[used] != 0 || generation == 0)
		return why(
		    -EINVAL, "\"%s\" is not a reference; they look like @1f.2.9a0b...", text);
	*ret = (plm_ref){ .id = record_ref(index, generation), .runtime = runtime };
	return 0;
}

int plm_ref_parse(const char *text, plm_ref *ret)
{
	unsigned said = why_count();
	if (!text || !ret)
		return why(-EINVAL, "plm_ref_parse: no text, or no place for the reference");
	return handle_end(said, ref_parse(text, ret));
}
