#include "tests/support/meanwhile.h"

#include <stdbool.h>
#include <string.h>

#include "base/check.h"
#include "tests/support/label.h"

#ifdef PLM_STEPS

static struct {
	const char *label;
	void (*act)(void); /* NULL: no more */
	bool once;
	bool (*hook)(const struct step *step, const void *at, size_t bytes); /* the sweep's */
} others;

static bool come_to(const struct step *step, const void *at, size_t bytes)
{
	void (*act)(void) = others.act;
	char label[LABEL_BYTES];
	if (act && strcmp(step_label(step, label), others.label) == 0) {
		if (others.once)
			others.act = NULL;
		step_hook = NULL;
		act();
		step_hook = come_to;
	}
	return others.hook(step, at, bytes);
}

static void meanwhile_begin(const char *label, void (*act)(void), bool once)
{
	CHECK(label_is_known(label));
	others.label = label;
	others.act = act;
	others.once = once;
	if (!others.hook) { /* act() may say what comes next */
		others.hook = step_hook;
		step_hook = come_to;
	}
}

#else

static void meanwhile_begin(const char *label, void (*act)(void), bool once)
{
	(void)label;
	(void)act;
	(void)once;
}

#endif

void meanwhile(const char *label, void (*act)(void))
{
	meanwhile_begin(label, act, false);
}

void meanwhile_once(const char *label, void (*act)(void))
{
	meanwhile_begin(label, act, true);
}
