/* errors.c - the meaning of error numbers in plm.h, and the text of the last failed call. */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "client/plm.h"

const char *plm_strerror(int error)
{
	static const struct {
		int code;
		const char *text;
	} meanings[] = {
		{ PLM_EFAILED, "the task failed" },
		{ PLM_ECANCELLED, "the task was cancelled" },
		{ ETIMEDOUT, "time ran out" },
		{ ENOSPC, "the store or the table of futures is full" },
		{ E2BIG, "too large or too many" },
		{ ENOENT, "no such runtime or function" },
		{ ESTALE, "unknown reference: it was dropped, or never existed" },
		{ EXDEV, "the future belongs to another runtime" },
		{ ECHILD, "the handle belongs to the parent process: connect again after fork" },
		{ EHOSTDOWN, "the runtime is gone" },
		{ ESHUTDOWN, "the runtime is being stopped" },
		{ EPROTO, "the runtime is of another version or damaged" },
		{ EALREADY, "settled already" },
		{ EAGAIN, "not settled yet" },
		{ ENOTRECOVERABLE, "the runtime is damaged beyond recovery: restart it" },
	};
	int code = error < 0 ? -error : error;
	for (size_t i = 0; i < COUNT_OF(meanings); i++)
		if (meanings[i].code == code)
			return meanings[i].text;
	return strerror(code);
}

const char *plm_why(void)
{
	return why_text();
}
