/* limits.h - every maximum of the runtime, with its unit in its name.
 * Where: constants only. A limit that a user may choose at boot has its default here, beside its
 * bounds; the values in force stand in the control segment's header and in `plmctl status`. */
#ifndef PLM_LIMITS_H
#define PLM_LIMITS_H

#include <assert.h>
#include <stdint.h>

enum {
	CACHE_LINE_BYTES = 64,

	/* Process slots: 0 is the manager, 1 the scheduler, the rest workers and clients. */
	PROCESSES_DEFAULT = 256,
	PROCESSES_MAX = 1024,
	EXTENSION_SLOTS = 64, /* of the first hold bits and rings, and of each extension */
	VISITS_KEPT = 8,      /* process slots for clients that look or give orders */
	WORKERS_MAX = 1000,

	RECORDS_DEFAULT = 1 << 17,
	RECORDS_MIN = 64,
	RECORDS_MAX = 1 << 28,

	MODULES_MAX = 64,
	MODULE_PATH_BYTES = 248,
	FUNCTIONS_MAX = 1024,
	FUNCTION_NAME_BYTES = 56,

	RUNTIME_NAME_BYTES = 32,
	ON_FINISH_BYTES = 512, /* of the line of plm --on-finish, with its zero byte */

	ARGS_MAX = 65535,
	RESULTS_MAX = 1024,
	RETRIES_MAX = 255,
	REPLICAS_MAX = 64,
	AGEING_DEFAULT_MS = 60000,
	PRIORITY_MIN = -32768,
	PRIORITY_MAX = 32767,

#ifdef PLM_SMALL_RINGS /* for the explorer, so that rings are often full */
	UP_RING_ENTRIES = 8,
	DOWN_RING_ENTRIES = 4,
#else
	UP_RING_ENTRIES = 4096,  /* a process to the scheduler */
	DOWN_RING_ENTRIES = 512, /* the scheduler to a worker */
#endif

	ARENAS_MAX = 8,
	STORE_GRANULE_BYTES = 64,
	STORE_PAGE_BYTES = 4096,

	LOCK_WAIT_MS =
	    10000, /* a holder alive but slower is stopped or stuck: report, never steal */
	SAFETY_TICK_MS = 1000, /* the one periodic wake-up of a parked process */
	CANCEL_GRACE_MS = 1000,
	STOP_GRACE_MS = 2000,
	JOURNAL_GRACE_MS = 20000, /* for the journal's last group on a busy disk */
	RESTART_DELAY_MIN_MS = 10,
	RESTART_DELAY_MAX_MS = 5000,
	RESTART_CALM_MS = 10000, /* after a longer life a member's back-off begins anew */
	FAILURES_MAX = 6,        /* of members before the runtime is ready (later: of each) */
};

#define STORE_BYTES_DEFAULT ((uint64_t)1 << 30)
#define STORE_BYTES_MIN ((uint64_t)1 << 20)
#define STORE_BYTES_MAX ((uint64_t)STORE_GRANULE_BYTES << 32)
#define STORE_CHUNK_BYTES ((uint64_t)16 << 20) /* the reserved part of the store grows by these */

static_assert(PROCESSES_DEFAULT % EXTENSION_SLOTS == 0, "hold bits come in whole words");
static_assert(PROCESSES_MAX % EXTENSION_SLOTS == 0, "hold bits come in whole words");
static_assert(STORE_PAGE_BYTES % STORE_GRANULE_BYTES == 0, "pages hold whole granules");

#endif
