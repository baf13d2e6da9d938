/* program_runtime.h - boots and stops a runtime for a test, through the real programs.
 *
 * $PLM_BIN (default ".") holds plm, plmctl and plmdump. Each runtime has a name and an
 * XDG_RUNTIME_DIR of its own. Every function has a deadline and fails the test (ck_abort) with the
 * output of the programs; no function sleeps for a fixed time. Use in forked tests (CK_FORK). */
#ifndef PLM_TEST_RUNTIME_H
#define PLM_TEST_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { DEADLINE_MS = 60000 }; /* enough on a machine with a load of 20 */

struct runtime {
	char name[32];
	char directory[96]; /* XDG_RUNTIME_DIR, log, scratch files; removed at the end */
	pid_t pid;          /* the manager, or the guard; 0: none */
	int ready_fd;       /* stdout of the manager */
	unsigned workers;   /* from the ready line */
	bool loose;         /* members outlive the manager */
};

struct output_of {       /* output of a program that ended; free by output_free() */
	int code;        /* exit code; -1: ended by a signal */
	int signal;      /* 0: none */
	char *out, *err; /* zero-terminated */
	size_t out_bytes, err_bytes;
};

/* Puts a new name and directory into *rt and the environment; boots nothing. */
void runtime_prepare(struct runtime *rt);

/* Boots plm --tied with these arguments behind --name; returns at the ready line. */
#define runtime_boot(rt, ...) runtime_boot_with((rt), (const char *const[]){ __VA_ARGS__ NULL })
void runtime_boot_with(struct runtime *rt, const char *const *arguments);
/* The same without --tied: members outlive the manager until runtime_end(). With --guard, pid is
 * that of the guard. */
#define runtime_boot_loose(rt, ...) \
	runtime_boot_loose_with((rt), (const char *const[]){ __VA_ARGS__ NULL })
void runtime_boot_loose_with(struct runtime *rt, const char *const *arguments);
/* Boots the same name again, after runtime_kill(). */
#define runtime_reboot(rt, ...) runtime_reboot_with((rt), (const char *const[]){ __VA_ARGS__ NULL })
void runtime_reboot_with(struct runtime *rt, const char *const *arguments);

/* plmctl stop: the manager must end with 0 and leave no name in /dev/shm. */
void runtime_stop(struct runtime *rt);
/* Kills the manager and returns after the death. Members end by themselves, or live on if loose. */
void runtime_kill(struct runtime *rt);
/* Kills the processes, removes the names in /dev/shm and the directory. Call after runtime_stop(),
 * too. */
void runtime_end(struct runtime *rt);

/* Runs a program of $PLM_BIN to the end: `ctl(&rt, "get", ref)`. PLM_NAME names the runtime. */
#define ctl(rt, ...) \
	program_run((rt), "plmctl", (const char *const[]){ __VA_ARGS__, NULL }, NULL, 0)
#define dump(rt, ...) \
	program_run((rt), "plmdump", (const char *const[]){ __VA_ARGS__, NULL }, NULL, 0)
#define ctl_with_input(rt, input, bytes, ...) \
	program_run((rt), "plmctl", (const char *const[]){ __VA_ARGS__, NULL }, (input), (bytes))
/* Input goes through a pipe: at most INPUT_BYTES_MAX. */
enum { INPUT_BYTES_MAX = 1 << 20 };
struct output_of program_run(const struct runtime *rt, const char *program,
    const char *const *arguments, const void *input, size_t input_bytes);
void output_free(struct output_of *output);

/* Runs plmctl again and again until stdout contains `expected`; fails at the deadline. */
#define ctl_until(rt, expected, ...) \
	program_until((rt), (expected), (const char *const[]){ __VA_ARGS__, NULL })
void program_until(const struct runtime *rt, const char *expected, const char *const *arguments);

/* Runs plmctl, expects this exit code, and returns stdout without the last newline; the caller
 * frees. */
#define ctl_expect(rt, code, ...) \
	program_expect((rt), (code), (const char *const[]){ __VA_ARGS__, NULL })
char *program_expect(const struct runtime *rt, int code, const char *const *arguments);

/* "/dev/shm/plm-UID-NAME.control" */
void runtime_segment(const struct runtime *rt, const char *what, char *ret, size_t size);
/* A path in the directory of the runtime; writes a file there. */
void scratch_path(const struct runtime *rt, const char *name, char *ret, size_t size);
void scratch_write(const struct runtime *rt, const char *name, const void *data, size_t bytes,
    char *ret_path, size_t size);
/* Waits until the file in this directory has a whole line; returns the number in the line. */
long scratch_number(const struct runtime *rt, const char *name);

void runtime_print_log(const struct runtime *rt); /* on stderr */

/* Waits until the process is dead, if only as a zombie; false at the deadline. */
bool wait_for_death(pid_t pid);

#endif
