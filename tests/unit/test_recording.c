/* test_recording.c - a recording gives back what was put in; torn and damaged files give all of
 * their whole blocks; random bytes give an answer. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/why.h"
#include "cli/runs/recording.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 60, EVENTS = 20000, FUNCTIONS = 700, DAMAGES = 300 };

static const struct recording_head head = { .runtime = 0x1234567890abcdef,
	.wall_offset_ns = -5,
	.boot_offset_ns = 77,
	.begin_ns = 1000,
	.records_max = 4096,
	.processes_max = 64,
	.cores = 2,
	.workers = 3,
	.store_bytes = 1 << 20,
	.memory_total = UINT64_MAX,
	.name = "a runtime",
	.version = "1.2.3" };

/* Every field is wild in some event. */
static struct recording_item event_of(uint64_t *seed, unsigned i)
{
	struct recording_item item = { .kind = ITEM_EVENT };
	plm_event *e = &item.event;
	e->kind = 1 + (int)(random_next(seed) % (PLM_EVENTS - 1));
	e->time_ns = i % 10 ? 1000000 + i * 500u + random_next(seed) % 2000 : random_next(seed);
	e->process = i % 7 ? (uint32_t)random_next(seed) % 64 : PLM_NOBODY;
	e->worker = i % 3 ? (uint32_t)random_next(seed) % 64 : PLM_NOBODY;
	e->function = i % 5 ? (uint32_t)random_next(seed) % FUNCTIONS : PLM_NOBODY;
	if (e->function != PLM_NOBODY)
		snprintf(
		    e->function_name, sizeof e->function_name, "module.function%u", e->function);
	e->ref.id = i % 4 ? random_next(seed) | (uint64_t)1 << 40 : 0;
	e->ref.runtime = e->ref.id ? head.runtime : 0;
	if (e->kind == PLM_EVENT_DEPENDS)
		e->other = (plm_ref){ random_next(seed) | 1, head.runtime };
	e->attempt = (uint32_t)random_next(seed) % 3;
	e->argument = i % 6 ? random_next(seed) >> random_next(seed) % 64 : (uint64_t)-7;
	return item;
}

static int fill(int fd, bool packed, unsigned events, bool whole)
{
	struct recorder *recorder;
	uint64_t seed = RANDOM_SEED;
	int r = recorder_open(&recorder, dup(fd), packed, &head);
	for (unsigned i = 0; i < events && r == 0; i++) {
		struct recording_item item = event_of(&seed, i);
		r = recorder_add(recorder, &item);
	}
	int closed = recorder_close(&recorder, whole && r == 0, 42);
	return r < 0 ? r : closed;
}

static struct recording *reopen(int fd)
{
	struct recording *recording;
	lseek(fd, 0, SEEK_SET);
	int r = recording_open(&recording, dup(fd), "the file");
	ck_assert_msg(r == 0, "%s", why_text());
	return recording;
}

static int file(void)
{
	int fd = memfd_create("recording", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

/* How many events come, in order, as they were put in; gaps are allowed. */
static unsigned count_same(struct recording *recording, unsigned most)
{
	struct recording_item item;
	uint64_t seed = RANDOM_SEED;
	unsigned n = 0, i = 0;
	while (recording_next(recording, &item) > 0) {
		bool same = false;
		if (item.kind != ITEM_EVENT)
			continue;
		while (!same && i < most) {
			struct recording_item made = event_of(&seed, i++);
			same = memcmp(&made.event, &item.event, sizeof made.event) == 0;
		}
		ck_assert_msg(same, "event %u is not one that was put in", n);
		n++;
	}
	return n;
}

static void comes_back(bool packed)
{
	int fd = file();
	ck_assert_int_eq(fill(fd, packed, EVENTS, true), 0);
	struct recording *recording = reopen(fd);
	ck_assert(memcmp(recording_head(recording), &head, sizeof head) == 0);
	ck_assert_uint_eq(count_same(recording, EVENTS), EVENTS);
	ck_assert(!recording_is_cut(recording));
	ck_assert_uint_eq(recording_damaged(recording), 0);
	ck_assert_int_eq(recording_rewind(recording), 0);
	ck_assert_uint_eq(count_same(recording, EVENTS), EVENTS);
	recording_close(&recording);
	close(fd);
}

START_TEST(what_was_put_in_comes_back_as_often_as_one_likes)
{
	comes_back(false);
	comes_back(true);
}
END_TEST

START_TEST(samples_processes_losses_and_the_end_come_back)
{
	const struct runs_sample sample = { 9, { 7, 1, 2, 3, 4, UINT64_MAX } };
	const struct runs_process process = { 10, 63, PLM_NOBODY, 4711, { 0, 0 }, 5, "f.g" };
	struct recording_item items[] = {
		{ .kind = ITEM_SAMPLE, .sample = sample },
		{ .kind = ITEM_PROCESS, .process = process },
		{ .kind = ITEM_LOST, .time_ns = 11, .events = 1 },
	};
	struct recorder *recorder;
	struct recording_item item;
	int fd = file();
	ck_assert_int_eq(recorder_open(&recorder, dup(fd), false, &head), 0);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(recorder_add(recorder, &items[i]), 0);
	ck_assert_int_eq(recorder_close(&recorder, true, 12), 0);
	struct recording *recording = reopen(fd);
	ck_assert_int_eq(recording_next(recording, &item), 1);
	const struct run_counters *counters = &item.sample.counters;
	ck_assert(item.kind == ITEM_SAMPLE && item.sample.time_ns == 9 && counters->known == 7);
	ck_assert(counters->waiting == 1 && counters->queued == 2 && counters->running == 3);
	ck_assert(counters->store_bytes == 4 && counters->memory_free == UINT64_MAX);
	ck_assert_int_eq(recording_next(recording, &item), 1);
	ck_assert(item.kind == ITEM_PROCESS && item.process.time_ns == 10);
	ck_assert(item.process.process == 63 && item.process.worker == PLM_NOBODY);
	ck_assert(item.process.pid == 4711 && item.process.running.id == 0);
	ck_assert(item.process.run_ns == 5 && strcmp(item.process.function, "f.g") == 0);
	ck_assert_int_eq(recording_next(recording, &item), 1);
	ck_assert(item.kind == ITEM_LOST && item.time_ns == 11 && item.events == 1);
	ck_assert_int_eq(recording_next(recording, &item), 1);
	ck_assert(item.kind == ITEM_END && item.time_ns == 12);
	ck_assert_int_eq(recording_next(recording, &item), 0);
	recording_close(&recording);
	close(fd);
}
END_TEST

START_TEST(a_torn_recording_gives_its_whole_blocks_and_says_so)
{
	for (int packed = 0; packed < 2; packed++) {
		int fd = file();
		unsigned last = 0;
		ck_assert_int_eq(fill(fd, packed, EVENTS, true), 0);
		off_t whole = lseek(fd, 0, SEEK_END);
		for (int part = 1; part < 10; part++) {
			int cut = file();
			char *bytes = mmap(NULL, (size_t)whole, PROT_READ, MAP_SHARED, fd, 0);
			ck_assert_int_gt(write(cut, bytes, (size_t)(whole * part / 10)), 0);
			munmap(bytes, (size_t)whole);
			struct recording *recording = reopen(cut);
			unsigned n = count_same(recording, EVENTS);
			ck_assert(recording_is_cut(recording));
			ck_assert_uint_ge(n, last);
			ck_assert_uint_lt(n, EVENTS);
			last = n;
			recording_close(&recording);
			close(cut);
		}
		ck_assert_uint_gt(last, EVENTS / 2);
		close(fd);
	}
}
END_TEST

START_TEST(a_recording_that_was_not_ended_is_cut)
{
	int fd = file();
	ck_assert_int_eq(fill(fd, false, 10, false), 0);
	struct recording *recording = reopen(fd);
	ck_assert_uint_eq(count_same(recording, 10), 10);
	ck_assert(recording_is_cut(recording));
	recording_close(&recording);
	close(fd);
}
END_TEST

/* A wild byte costs a block, or, in the head of a block, all that follows. */
START_TEST(a_damaged_block_is_left_out_and_counted)
{
	uint64_t seed = RANDOM_SEED;
	int fd = file();
	ck_assert_int_eq(fill(fd, false, EVENTS, true), 0);
	size_t length = (size_t)lseek(fd, 0, SEEK_END);
	uint8_t *bytes = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	unsigned middle = 0;
	for (int i = 0; i < DAMAGES; i++) {
		size_t at = 200 + random_next(&seed) % (length - 200);
		bytes[at] ^= 0x55;
		struct recording *recording = reopen(fd);
		unsigned n = count_same(recording, EVENTS);
		ck_assert_uint_ge(recording_damaged(recording) + recording_is_cut(recording), 1);
		ck_assert_uint_lt(n, EVENTS);
		middle += !recording_is_cut(recording);
		recording_close(&recording);
		bytes[at] ^= 0x55;
	}
	ck_assert_uint_gt(middle, DAMAGES / 2);
	munmap(bytes, length);
	close(fd);
}
END_TEST

static void refused(const void *bytes, size_t length, const char *expected)
{
	struct recording *recording;
	int fd = file();
	ck_assert_int_eq(write(fd, bytes, length), (ssize_t)length);
	lseek(fd, 0, SEEK_SET);
	ck_assert_int_lt(recording_open(&recording, fd, "x.plmrec"), 0);
	ck_assert_msg(strstr(why_text(), expected) != NULL, "%s", why_text());
}

START_TEST(what_is_no_recording_is_refused)
{
	refused("", 0, "x.plmrec is not a recording");
	refused("plmrec", 6, "not a recording");
	refused("plmrec\001\n", 8, "has no head");
	refused("plmrec\007\nxxxxxxxx", 16, "another version of plmctl (layout 7, here 1)");
	refused("{\"traceEvents\":[]}", 18, "not a recording");
}
END_TEST

START_TEST(a_full_disk_keeps_the_whole_blocks)
{
	struct rlimit before, small;
	char path[] = "/tmp/plm-test-recording-XXXXXX";
	int fd = mkstemp(path);
	unlink(path);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 300000;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	int r = fill(fd, false, 100000, true);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	ck_assert_int_lt(r, 0);
	ck_assert_msg(strstr(why_text(), "cannot be written on") != NULL, "%s", why_text());
	struct recording *recording = reopen(fd);
	ck_assert_uint_gt(count_same(recording, 100000), 5000);
	ck_assert(recording_is_cut(recording));
	recording_close(&recording);
	close(fd);
}
END_TEST

int main(void)
{
	const TTest *const all[] = {
		what_was_put_in_comes_back_as_often_as_one_likes,
		samples_processes_losses_and_the_end_come_back,
		a_torn_recording_gives_its_whole_blocks_and_says_so,
		a_recording_that_was_not_ended_is_cut,
		a_damaged_block_is_left_out_and_counted,
		what_is_no_recording_is_refused,
		a_full_disk_keeps_the_whole_blocks,
	};
	return run_tests("recording", TEST_TIMEOUT_S, NULL, NULL, all, sizeof all / sizeof all[0]);
}
