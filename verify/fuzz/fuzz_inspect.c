/* fuzz_inspect.c - damaged segments through plm_inspect.h: makes each call, reads each list, and
 * checks the promises of the header: texts end, counts are in bounds, lists end. */
#include <string.h>
#include <unistd.h>

#include "client/plm_inspect.h"
#include "verify/fuzz/fuzz.h"
#include "verify/fuzz/segment_image.h"

enum { ROWS = 8, ROUNDS_MAX = 1 << 20, REASONS_MAX = 8, CHECKS_MAX = 32 };

#define ENDS(text) FUZZ_REQUIRE(memchr(text, 0, sizeof text))

static void list_tasks(plm_inspect *in, const plm_task_filter *filter)
{
	static plm_task_row row[ROWS];
	uint64_t cursor = 0, before = 0;
	int n;
	while ((n = plm_inspect_tasks(in, filter, sizeof *filter, PLM_LOOK_TEXTS, &cursor, row,
		    sizeof row[0], ROWS)) > 0) {
		FUZZ_REQUIRE(n <= ROWS && cursor > before);
		before = cursor;
		for (int i = 0; i < n; i++) {
			ENDS(row[i].function);
			ENDS(row[i].label);
			ENDS(row[i].command);
			FUZZ_REQUIRE(row[i].state > 0 && row[i].state < PLM_STATES);
		}
	}
	FUZZ_REQUIRE(n == 0);
}

static void list_processes(plm_inspect *in)
{
	plm_process_row row;
	uint64_t cursor = 0;
	while (plm_inspect_processes(in, 0, &cursor, &row, sizeof row, 1) > 0) {
		ENDS(row.condition);
		ENDS(row.name);
		ENDS(row.function);
	}
	plm_work_row work[ROWS];
	uint64_t rounds = 0;
	for (cursor = 0; plm_inspect_work(in, 0, &cursor, work, sizeof work[0], ROWS) > 0;)
		FUZZ_REQUIRE(++rounds < ROUNDS_MAX);
}

static void list_values(plm_inspect *in)
{
	plm_object_row object;
	plm_function_row function;
	plm_module_row module;
	plm_policy_row policy;
	uint64_t cursor = 0;
	while (plm_inspect_objects(in, &cursor, &object, sizeof object, 1) > 0)
		ENDS(object.origin);
	for (cursor = 0; plm_inspect_functions(in, &cursor, &function, sizeof function, 1) > 0;) {
		ENDS(function.function);
		ENDS(function.path);
	}
	for (cursor = 0; plm_inspect_modules(in, &cursor, &module, sizeof module, 1) > 0;) {
		ENDS(module.module);
		ENDS(module.path);
	}
	for (cursor = 0; plm_inspect_policies(in, &cursor, &policy, sizeof policy, 1) > 0;)
		ENDS(policy.policy);
}

static void list_parts(plm_inspect *in)
{
	static plm_check_row check[CHECKS_MAX];
	plm_heap_row heap[ROWS];
	plm_ring_row ring;
	plm_lock_row lock;
	uint64_t cursor = 0, rounds = 0;
	for (int which = PLM_HEAP_TASKS; which <= PLM_HEAP_WORKERS; which++)
		for (cursor = 0;
		     plm_inspect_heap(in, which, &cursor, heap, sizeof heap[0], ROWS) > 0;)
			FUZZ_REQUIRE(++rounds < ROUNDS_MAX);
	for (cursor = 0; plm_inspect_rings(in, &cursor, &ring, sizeof ring, 1) > 0;)
		ENDS(ring.verdict);
	for (cursor = 0; plm_inspect_locks(in, &cursor, &lock, sizeof lock, 1) > 0;)
		ENDS(lock.state);
	int n = plm_inspect_check(in, check, sizeof check[0], CHECKS_MAX);
	FUZZ_REQUIRE(n > 0);
	for (int i = 0; i < n && i < CHECKS_MAX; i++)
		ENDS(check[i].reason);
}

/* Reads every byte of an output. */
static uint64_t sum_of(const void *data, size_t bytes)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < bytes; i++)
		sum += ((const unsigned char *)data)[i];
	return sum;
}

static void look_at_one(plm_inspect *in, plm_ref ref)
{
	static plm_reason reason[REASONS_MAX];
	plm_explanation e;
	plm_task_row task;
	plm_command_row command;
	plm_ref outputs[ROWS];
	const void *data;
	size_t bytes;
	if (plm_inspect_task(in, ref, PLM_LOOK_TEXTS, &task, sizeof task) == 0)
		ENDS(task.command);
	int n = plm_inspect_explain(in, ref, &e, sizeof e, reason, sizeof reason[0], REASONS_MAX);
	FUZZ_REQUIRE(n < 0 || (n >= 1 && n <= REASONS_MAX));
	for (int i = 0; i < n; i++) {
		FUZZ_REQUIRE(reason[i].refs <= REASONS_MAX);
		ENDS(reason[i].code);
		ENDS(reason[i].text);
	}
	if (plm_inspect_command(in, ref, &command, sizeof command) == 0)
		ENDS(command.command);
	plm_inspect_outputs(in, ref, outputs, ROWS);
	for (int stream = STDOUT_FILENO; stream <= STDERR_FILENO; stream++)
		if (plm_inspect_output(in, ref, stream, &data, &bytes) == 0)
			FUZZ_REQUIRE(sum_of(data, bytes) <= 255 * (uint64_t)bytes);
	int fd = plm_inspect_output_open(in, ref, STDOUT_FILENO);
	if (fd >= 0)
		close(fd);
}

static void look(const struct image *image, plm_inspect *in)
{
	static const plm_task_filter some = { .by = PLM_BY_STATE,
		.states = 1u << PLM_STATE_READY | PLM_ONLY_DEAD };
	plm_runtime_row runtime;
	plm_status status;
	FUZZ_REQUIRE(plm_inspect_runtime(in, &runtime, sizeof runtime) == 0);
	ENDS(runtime.name);
	ENDS(runtime.journal);
	FUZZ_REQUIRE(plm_inspect_status(in, &status, sizeof status) == 0);
	FUZZ_REQUIRE(status.records_used <= status.records_max);
	list_tasks(in, NULL);
	list_tasks(in, &some);
	list_processes(in);
	list_values(in);
	list_parts(in);
	for (uint32_t i = 0; i < image->refs; i++) {
		plm_ref ref = image->ref[i];
		ref.runtime = runtime.runtime;
		look_at_one(in, ref);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	const struct image *image = image_get();
	char control[IMAGE_PATH_BYTES], store[IMAGE_PATH_BYTES];
	plm_inspect *in;
	image_damage(data, length, true);
	image_path(control);
	image_store_path(store);
	if (plm_inspect_open_files(&in, control, length & 1 ? NULL : store) < 0)
		return 0;
	look(image, in);
	plm_inspect_close(&in);
	return 0;
}
