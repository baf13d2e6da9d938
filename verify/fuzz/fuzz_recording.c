/* fuzz_recording.c - any bytes as a recording, for plmctl trace and plot: an answer, and as many
 * runs at each reading.
 *
 * The first byte chooses: the bytes as a file, or as payloads of sound blocks, whose checksums the
 * target makes, since a fuzzer finds no CRC. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "base/why.h"
#include "cli/runs/recording_format.h"
#include "cli/runs/replay.h"
#include "cli/trace/plot_series.h"
#include "cli/trace/trace_write.h"
#include "verify/fuzz/fuzz.h"

enum { AS_FILE, AS_BLOCKS, WAYS, BLOCK_MOST = 512 };

static void put_word(int fd, uint32_t word)
{
	uint8_t byte[4];
	for (int i = 0; i < 4; i++)
		byte[i] = (uint8_t)(word >> 8 * i);
	FUZZ_REQUIRE(write(fd, byte, sizeof byte) == sizeof byte);
}

static void put_block(int fd, const uint8_t *data, size_t length)
{
	put_word(fd, BLOCK_MAGIC);
	put_word(fd, (uint32_t)length);
	put_word(fd, (uint32_t)crc32(0, data, (uInt)length));
	FUZZ_REQUIRE(write(fd, data, length) == (ssize_t)length);
}

/* A sound head, then the bytes in blocks. */
static void put_blocks(int fd, const uint8_t *data, size_t length)
{
	static const struct recording_head head = {
		.runtime = 7, .records_max = 64, .begin_ns = 1
	};
	struct recorder *recorder = NULL;
	FUZZ_REQUIRE(recorder_open(&recorder, dup(fd), false, &head) == 0);
	FUZZ_REQUIRE(recorder_close(&recorder, false, 0) == 0);
	lseek(fd, 0, SEEK_END);
	for (size_t at = 0; at < length; at += BLOCK_MOST)
		put_block(fd, data + at, length - at < BLOCK_MOST ? length - at : BLOCK_MOST);
}

static uint64_t runs_seen;

static void take_run(void *context, const struct run *run)
{
	(void)context;
	runs_seen += run->started;
	FUZZ_REQUIRE(run->start_ns <= run->end_ns && run->name && run->function_name);
	FUZZ_REQUIRE(strnlen(run->name, RUN_NAME_BYTES) < RUN_NAME_BYTES);
}

/* Into memory: a trace for stdout has no name. */
static void write_trace(struct recording *recording, const struct survey *survey,
    struct trace_edges *edges, enum trace_kind kind)
{
	const struct trace_target target = { .path = "-", .kind = kind };
	struct trace_told told;
	int fd = memfd_create("trace", MFD_CLOEXEC), out = dup(STDOUT_FILENO);
	FUZZ_REQUIRE(fd >= 0 && out >= 0 && dup2(fd, STDOUT_FILENO) >= 0);
	int r = trace_write(recording, survey, edges, &target, &told);
	dup2(out, STDOUT_FILENO);
	close(out);
	close(fd);
	FUZZ_REQUIRE(r == 0);
}

static void sum_up(struct recording *recording, const struct survey *survey)
{
	struct series series;
	FUZZ_REQUIRE(series_open(&series, survey, 0) == 0);
	FUZZ_REQUIRE(series_take(&series, recording, survey) == 0);
	FUZZ_REQUIRE(series.runs == survey->runs);
	series_close(&series);
}

static void read_all(struct recording *recording)
{
	static const struct runs_sink sink = { .run = take_run };
	struct survey survey;
	struct trace_edges edges = { .n = 0 };
	FUZZ_REQUIRE(trace_survey(recording, &survey, &edges) == 0);
	runs_seen = 0;
	FUZZ_REQUIRE(replay_run(recording, &survey, 0, &sink, NULL) == 0);
	FUZZ_REQUIRE(runs_seen == survey.runs);
	for (int kind = 0; kind < TRACE_KINDS; kind++)
		write_trace(recording, &survey, &edges, (enum trace_kind)kind);
	sum_up(recording, &survey);
	edges_free(&edges);
	survey_free(&survey);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct recording *recording = NULL;
	if (length == 0)
		return 0;
	int fd = memfd_create("recording", MFD_CLOEXEC);
	FUZZ_REQUIRE(fd >= 0);
	if (data[0] % WAYS == AS_FILE)
		FUZZ_REQUIRE(write(fd, data + 1, length - 1) == (ssize_t)length - 1);
	else
		put_blocks(fd, data + 1, length - 1);
	lseek(fd, 0, SEEK_SET);
	why_clear();
	int r = recording_open(&recording, fd, "input");
	FUZZ_REQUIRE(r == 0 || why_text()[0]);
	if (r == 0)
		read_all(recording);
	recording_close(&recording);
	return 0;
}
