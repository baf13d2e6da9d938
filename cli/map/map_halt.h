/* map_halt.h - when `plmctl map` ends before its inputs do (--halt), and its exit code. */
#ifndef PLM_CLI_MAP_HALT_H
#define PLM_CLI_MAP_HALT_H

#include <stdbool.h>
#include <stdint.h>

struct halt {                                          /* zeroes: never */
	enum { HALT_NEVER, HALT_SOON, HALT_NOW } when; /* running jobs end; are cancelled */
	enum { HALT_FAIL, HALT_SUCCESS, HALT_DONE } what;
	unsigned count;
	bool percent;
};

struct tally {                 /* of jobs */
	uint64_t done, failed; /* ended; of them with a failure */
	uint64_t total;        /* 0: nobody knows */
	int last_failure;      /* as an exit code */
};

/* "now,fail=1", "soon,done=10%", "never"; false: it makes no sense. */
bool halt_parse(const char *text, struct halt *ret);
bool halt_reached(const struct halt *halt, const struct tally *tally);
/* 0 to 101; with fail=1 that of the job that failed, with success=... 0 if they were reached. */
int halt_exit_code(const struct halt *halt, const struct tally *tally);

#endif
