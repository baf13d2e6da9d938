#include "tests/support/meanwhile.h"

#include <stdbool.h>
#include <string.h>

#include "shm/steps.h"

#ifdef PLM_STEPS

static struct {
	const char *function, *what;
	void (*act)(void); /* NULL: no more */
	bool once;
	bool (*hook)(const struct step *step, const void *at, size_t bytes); /* the sweep's */
} others;

static bool come_to(const struct step *step, const void *at, size_t bytes)
{
	void (*act)(void) = others.act;
	if (act && strcmp(step->function, others.function) == 0 &&
	    strcmp(step->what, others.what) == 0) {
		if (others.once)
			others.act = NULL;
		step_hook = NULL;
		act();
		step_hook = come_to;
	}
	return others.hook(step, at, bytes);
}

static void meanwhile_begin(const char *function, const char *what, void (*act)(void), bool once)
{
	others.function = function;
	others.what = what;
	others.act = act;
	others.once = once;
	if (!others.hook) { /* act() may say what comes next */
		others.hook = step_hook;
		step_hook = come_to;
	}
}

#else

static void meanwhile_begin(const char *function, const char *what, void (*act)(void), bool once)
{
	(void)function;
	(void)what;
	(void)act;
	(void)once;
}

#endif

void meanwhile(const char *function, const char *what, void (*act)(void))
{
	meanwhile_begin(function, what, act, false);
}

void meanwhile_once(const char *function, const char *what, void (*act)(void))
{
	meanwhile_begin(function, what, act, true);
}
