#include "worker/inject.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "client/refs.h"

/* How long a cancellation may stay unseen: a cancellation wakes nobody, a function has to ask. */
#define LOOK_AGAIN_NS (10 * NS_PER_MS)

static int inject_delay(struct plm_call *call, uint64_t delay_ns)
{
	uint64_t end = clock_ns() + delay_ns;
	for (uint64_t now = clock_ns(); now < end; now = clock_ns()) {
		if (plm_cancelled(call))
			return plm_fail(call, ECANCELED, "cancelled in an injected delay");
		uint64_t left = end - now;
		struct timespec step = clock_timespec(left < LOOK_AGAIN_NS ? left : LOOK_AGAIN_NS);
		nanosleep(&step, NULL);
	}
	return 0;
}

/* Both faults end with the death of the process: at once, or when somebody loses patience. */
static _Noreturn void inject_be_lost(const struct plm_call *call, enum fault fault)
{
	char task[PLM_REF_TEXT_BYTES];
	uint32_t index = record_index(&call->rt->tables, call->record);
	plm_ref_print(ref_public(call->rt, record_ref(index, word_generation(call->word))), task);
	log_warn_about(ABOUT(ABOUT_TASK(task), ABOUT_ATTEMPT(word_attempt(call->word))),
	    "injected %s in task %s attempt %u", fault == FAULT_CRASH ? "crash" : "hang", task,
	    word_attempt(call->word));
	if (fault == FAULT_CRASH)
		kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

int inject(const struct injection *injection, struct plm_call *call)
{
	uint32_t attempt = word_attempt(call->word);
	struct injected injected = inject_draw(injection, call->record->key, attempt);
	switch (injected.fault) {
	case FAULT_DELAY: return inject_delay(call, injected.delay_ns);
	case FAULT_FAIL: return plm_fail(call, EIO, "injected failure of attempt %u", attempt);
	case FAULT_CRASH:
	case FAULT_HANG: inject_be_lost(call, injected.fault);
	default: return 0;
	}
}
