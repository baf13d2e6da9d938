#include "cli/interrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/check.h"

static const int caught[] = { SIGINT, SIGTERM, SIGHUP };

static struct { /* lock-free, for the signal handler */
	_Atomic(plm *) rt;
	_Atomic int signal;
} interrupts;

/* The next signal of any kind ends plmctl at once. */
static void interrupts_take_signal(int signal_number)
{
	interrupts.signal = signal_number;
	for (size_t i = 0; i < COUNT_OF(caught); i++)
		signal(caught[i], SIG_DFL);
	plm *rt = interrupts.rt;
	if (rt)
		plm_interrupt(rt);
}

void interrupts_catch(struct context *context)
{
	const struct sigaction take = { .sa_handler = interrupts_take_signal,
		.sa_flags = SA_RESTART };
	interrupts.rt = context->rt;
	for (size_t i = 0; i < COUNT_OF(caught); i++) {
		struct sigaction before;
		if (sigaction(caught[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(caught[i], &take, NULL);
	}
}

int interrupt_signal(void)
{
	return interrupts.signal;
}

void interrupts_release(struct context *context)
{
	for (size_t i = 0; i < COUNT_OF(caught); i++) {
		struct sigaction before;
		if (sigaction(caught[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			signal(caught[i], SIG_DFL);
	}
	interrupts.rt = NULL;
	plm_interrupt_end(context->rt);
}

void await_end(struct context *context, plm_ref ref)
{
	plm_wait_ended(context->rt, &ref, 1, 1, -1, NULL);
}

int interrupted(struct context *context, plm_ref ref)
{
	char text[PLM_REF_TEXT_BYTES];
	plm_ref_print(ref, text);
	interrupts_release(context);
	fprintf(stderr, "plmctl: task %s: cancelling; press Ctrl-C again to leave at once\n", text);
	plm_cancel(context->rt, ref, PLM_GRACE_OF_TASK);
	await_end(context, ref);
	return EXIT_SIGNAL + interrupts.signal;
}
