/* recording.h - a file of events, compact, for traces and plots at any later time.
 *
 * The file begins with eight bytes (RECORDING_MAGIC, which holds the version), then blocks of at
 * most 64 KiB: magic, length, CRC-32, payload. The payload begins with a time; items follow, a byte
 * for the kind of each, numbers as LEB128, times as the difference to the item before. Every block
 * repeats the names of the functions in it, so each block can be read alone: a damaged block is
 * left out and counted, a torn file keeps all of its whole blocks. The first block is the head.
 * Through zlib: with `packed` the file is a gzip file; the reader takes both.
 *
 * Who: one thread.  Blocks: in file input and output.  Memory: two blocks, and zlib's. */
#ifndef PLM_RECORDING_H
#define PLM_RECORDING_H

#include "cli/runs/runs.h"

#define RECORDING_SUFFIX ".plmrec"

struct recording_head {
	uint64_t runtime;       /* the number of the boot */
	int64_t wall_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	int64_t boot_offset_ns; /* CLOCK_BOOTTIME - CLOCK_MONOTONIC */
	uint64_t begin_ns;      /* the recording began */
	uint64_t records_max, processes_max, cores, workers;
	uint64_t store_bytes, memory_total;
	char name[32];    /* of the runtime */
	char version[16]; /* of plm */
};

enum item_kind { ITEM_EVENT, ITEM_SAMPLE, ITEM_PROCESS, ITEM_LOST, ITEM_END };

struct recording_item {
	enum item_kind kind;
	uint64_t time_ns; /* of LOST and END */
	uint64_t events;  /* LOST: how many are missing here */
	union {
		plm_event event;
		struct runs_sample sample;
		struct runs_process process;
	};
};

/* ---- writing ---- */

struct recorder;
/* Writes to the descriptor, which the recorder takes over in any case. 0 or -errno with a why. */
int recorder_open(struct recorder **ret, int fd, bool packed, const struct recording_head *head);
/* 0; -errno with a why: from then on nothing more is written, and the whole blocks stay. */
int recorder_add(struct recorder *recorder, const struct recording_item *item);
/* Everything added is on its way to the file. */
int recorder_flush(struct recorder *recorder);
uint64_t recorder_bytes(const struct recorder *recorder); /* before packing */
/* With whole: marks the end, so that readers can tell that nothing is missing. Closes the file in
 * any case. 0, or the first -errno. */
int recorder_close(struct recorder **recorder, bool whole, uint64_t time_ns);

/* ---- reading ---- */

struct recording;
/* Takes over the descriptor, of a file that can be read again from the beginning. 0; -EINVAL: not a
 * recording, or of another version. */
int recording_open(struct recording **ret, int fd, const char *what);
const struct recording_head *recording_head(const struct recording *recording);
/* 1: an item; 0: the end; -errno. */
int recording_next(struct recording *recording, struct recording_item *ret);
int recording_rewind(struct recording *recording);
void recording_close(struct recording **recording);

/* After the end was read: the file was cut, and blocks that could not be read. */
bool recording_is_cut(const struct recording *recording);
uint64_t recording_damaged(const struct recording *recording);

#endif
