#include "cli/look.h"

int look_open(struct context *context)
{
	int code = runtime(context);
	if (code != EXIT_FINE || context->in)
		return code;
	int r = plm_inspect_of(&context->in, context->rt);
	return r < 0 ? failed(r, "looking") : EXIT_FINE;
}

void look_close(struct context *context)
{
	plm_inspect_close(&context->in);
}
