/* fuzz_segment.c - readers of damaged segments: all lists of plmdump, each checker, and each
 * reading call of plm.h. fuzz_inspect.c makes the calls of plm_inspect.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dump/dump.h"
#include "cli/worker_rows.h"
#include "client/handle.h"
#include "verify/fuzz/fuzz.h"
#include "verify/fuzz/segment_image.h"

static FILE *fuzz_segment_nowhere(void)
{
	static FILE *file;
	if (!file)
		file = fopen("/dev/null", "w");
	FUZZ_REQUIRE(file);
	return file;
}

static void fuzz_segment_list(plm_inspect *in, bool json)
{
	struct output out;
	output_open(&out, fuzz_segment_nowhere(), json, false);
	dump_header(in, &out);
	rows_processes(in, &out);
	rows_workers(in, &out);
	rows_clients(in, &out);
	rows_tasks(in, &out);
	rows_objects(in, &out);
	rows_modules(in, &out);
	rows_functions(in, &out);
	dump_heap(in, &out, PLM_HEAP_TASKS);
	dump_heap(in, &out, PLM_HEAP_WORKERS);
	dump_rings(in, &out);
	dump_locks(in, &out);
	dump_check(in, &out);
	FUZZ_REQUIRE(output_close(&out));
}

static void look_as_dump(bool json)
{
	char path[IMAGE_PATH_BYTES];
	plm_inspect *in;
	image_path(path);
	if (plm_inspect_open_files(&in, path, NULL) < 0)
		return;
	fuzz_segment_list(in, json);
	plm_inspect_close(&in);
}

/* Reads every byte of a value that a call returned. */
static uint64_t read_all(const plm_view *view)
{
	const unsigned char *data = view->data;
	uint64_t sum = 0;
	for (size_t i = 0; i < view->len; i++)
		sum += data[i];
	return sum;
}

/* As if the client already had the hold, because no scheduler answers an import here. */
static void fuzz_segment_hold(struct plm *rt, plm_ref ref)
{
	atomic_fetch_add(&rt->refs[ref_held_index(rt, ref)], 1);
}

static void read_one(struct plm *rt, plm_ref ref)
{
	plm_view view;
	plm_failure failure;
	uint8_t ready;
	ref.runtime = rt->runtime;
	fuzz_segment_hold(rt, ref);
	fuzz_segment_hold(rt, ref);
	if (plm_get(rt, ref, &view, 0) == 0) {
		FUZZ_REQUIRE(read_all(&view) <= 255 * (uint64_t)view.len);
		plm_release(rt, &view);
	}
	if (plm_error(rt, ref, &failure) == 0)
		FUZZ_REQUIRE(strlen(failure.message) < sizeof failure.message &&
		    strlen(failure.function) < sizeof failure.function);
	fuzz_segment_hold(rt, ref);
	plm_wait(rt, &ref, 1, 1, 0, &ready);
}

static void look_as_client(const struct image *image)
{
	plm_status status;
	struct plm *rt = calloc(1, sizeof *rt);
	FUZZ_REQUIRE(rt);
	rt->socket = -1;
	if (tables_attach(dup(image->control_fd), dup(image->store_fd), &rt->tables) == 0 &&
	    handle_open(rt, IMAGE_JOINING) == 0) {
		for (uint32_t i = 0; i < image->refs; i++)
			read_one(rt, image->ref[i]);
		if (plm_status_get(rt, &status) == 0)
			FUZZ_REQUIRE(status.records_used <= status.records_max);
		handle_close(rt);
	}
	tables_detach(&rt->tables);
	free(rt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	const struct image *image = image_get();
	image_damage(data, length, true);
	look_as_dump(length & 1);
	image_damage(data, length, false);
	look_as_client(image);
	return 0;
}
