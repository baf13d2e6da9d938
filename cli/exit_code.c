#include <errno.h>
#include <stdio.h>

#include "base/check.h"
#include "cli/ctl_command.h"

static const struct {
	int error; /* positive */
	enum exit_code code;
} exits[] = {
	{ ENOENT, EXIT_DATA },
	{ ESTALE, EXIT_DATA },
	{ EXDEV, EXIT_DATA },
	{ E2BIG, EXIT_DATA },
	{ EBADMSG, EXIT_DATA },
	{ EINVAL, EXIT_USAGE },
	{ ENOSPC, EXIT_FULL },
	{ EAGAIN, EXIT_FULL },
	{ EUSERS, EXIT_FULL },
	{ EPROTO, EXIT_VERSION },
	{ EACCES, EXIT_DENIED },
	{ EPERM, EXIT_DENIED },
	{ EHOSTDOWN, EXIT_NO_RUNTIME },
	{ ESHUTDOWN, EXIT_FULL },
	{ ENOTCONN, EXIT_NO_RUNTIME },
	{ ECONNREFUSED, EXIT_NO_RUNTIME },
	{ ECONNRESET, EXIT_NO_RUNTIME },
	{ EPIPE, EXIT_NO_RUNTIME },
	{ ETIMEDOUT, EXIT_TIMED_OUT },
	{ ECANCELED, EXIT_CANCELLED },
	{ PLM_EFAILED, EXIT_TASK_FAILED },
};

static int exit_code_of(int error)
{
	for (size_t i = 0; i < COUNT_OF(exits); i++)
		if (exits[i].error == -error)
			return exits[i].code;
	return EXIT_OURS;
}

int failed(int error, const char *what)
{
	const char *why = plm_why();
	fprintf(stderr, "plmctl: %s: %s\n", what, why[0] ? why : plm_strerror(error));
	return exit_code_of(error);
}
