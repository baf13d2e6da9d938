/* map_halt.h - when `plmctl map` ends before the last input (--halt), and the exit code of map. */
#ifndef PLM_CLI_MAP_HALT_H
#define PLM_CLI_MAP_HALT_H

#include <stdbool.h>
#include <stdint.h>

struct halt { /* zeroes: never */
	enum {
		HALT_NEVER,
		HALT_SOON,
		HALT_NOW
	} when; /* soon: running jobs end; now: they are cancelled */
	enum { HALT_FAIL, HALT_SUCCESS, HALT_DONE } what;
	unsigned count;
	bool percent;
};

struct tally {                 /* of jobs */
	uint64_t done, failed; /* all ended jobs; failed jobs among them */
	uint64_t total;        /* 0: unknown */
	int last_failure;      /* as an exit code */
};

/* "now,fail=1", "soon,done=10%", "never"; false: another text. */
bool halt_parse(const char *text, struct halt *ret);
bool halt_reached(const struct halt *halt, const struct tally *tally);
/* 0 to 101; with fail=1 the exit code of the failed job, with success=... 0 once reached. */
int halt_exit_code(const struct halt *halt, const struct tally *tally);

#endif
