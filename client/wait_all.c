/* wait_all.c - waiting for everything that our process submitted, dropped or not.
 *
 * A table in private memory names the tasks, one entry for each record: so a submission costs one
 * store, and a record in its next life takes the entry of its last. Nothing is counted in the
 * segment, where a death would leave a wrong count. */
#include <errno.h>

#include "base/clock.h"
#include "base/why.h"
#include "client/wait.h"

/* The task is settled, or freed since. */
static bool wait_all_is_over(const struct plm *rt, uint32_t index, uint32_t generation)
{
	uint64_t word = sh_load(&record_at(&rt->tables, index)->state);
	return word_generation(word) != generation || word_settled(word);
}

/* Only holders are woken, so hold a task that was dropped. */
static int wait_all_one(
    struct plm *rt, uint32_t index, uint32_t generation, int timeout_ms, uint64_t deadline_ns)
{
	uint64_t ref = record_ref(index, generation);
	if (deadline_ns == 0)
		return -ETIMEDOUT;
	int r = ref_hold_until(rt, ref_public(rt, ref), handle_answer_deadline(rt, timeout_ms));
	if (r < 0)
		return r == -ESTALE ? 0 : r; /* settled and freed meanwhile */
	r = wait_settled(rt, record_at(&rt->tables, index), ref, deadline_ns);
	plm_drop(rt, ref_public(rt, ref));
	return r;
}

/* By a look at each record, once: tasks submitted meanwhile by another thread need not count. */
static int wait_all(struct plm *rt, int timeout_ms)
{
	uint64_t deadline_ns = timeout_ms == 0 ? 0 : deadline_after_ms(timeout_ms);
	int r = handle_check(rt);
	uint32_t fresh = r < 0 ? 0 : pool_fresh(&rt->tables.pool);
	for (uint32_t i = 0; i < fresh && r == 0; i++) {
		uint32_t mine = atomic_load_explicit(&rt->mine[i], memory_order_relaxed);
		if (mine == 0)
			continue;
		if (!wait_all_is_over(rt, i, mine))
			r = wait_all_one(rt, i, mine, timeout_ms, deadline_ns);
		if (r == 0) /* unless another thread has submitted a task in this record */
			atomic_compare_exchange_strong(&rt->mine[i], &mine, 0);
	}
	return r == -ETIMEDOUT
	    ? why(r, "after %d ms a task of this process is not settled yet", timeout_ms)
	    : r;
}

int plm_wait_all(plm *rt, int timeout_ms)
{
	unsigned said = why_count();
	return handle_end(said, wait_all(rt, timeout_ms));
}
