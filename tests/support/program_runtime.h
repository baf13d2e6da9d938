/* program_runtime.h - a runtime of one's own for a test, through the real programs.
 *
 * The programs ./plm, ./plmctl and ./plmdump are those of $PLM_BIN (default "."). A runtime has a
 * name and an XDG_RUNTIME_DIR nobody else has. Everything here has a deadline and fails the test
 * (ck_abort) with what the programs said; nothing sleeps in the hope that something has happened.
 * Use in forked tests (CK_FORK): a test that fails takes its processes with it. */
#ifndef PLM_TEST_RUNTIME_H
#define PLM_TEST_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { DEADLINE_MS = 60000 }; /* long enough on a machine with many times its load */

struct runtime {
	char name[32];
	char directory[96]; /* XDG_RUNTIME_DIR, log, scratch files; removed at the end */
	pid_t pid;          /* the manager; 0: none runs */
	int ready_fd;       /* its stdout */
	unsigned workers;   /* as its ready line says */
	bool loose;         /* its members outlive its manager */
};

struct output_of {       /* what a program did; output_free() */
	int code;        /* exit code, -1 if a signal ended it */
	int signal;      /* 0 if none did */
	char *out, *err; /* zero-terminated */
	size_t out_bytes, err_bytes;
};

/* A name and a directory that no other test has, in *rt and the environment; boots nothing. */
void runtime_prepare(struct runtime *rt);

/* Boots ./plm --tied with these arguments behind --name and returns when it is ready. */
#define runtime_boot(rt, ...) runtime_boot_with((rt), (const char *const[]){ __VA_ARGS__ NULL })
void runtime_boot_with(struct runtime *rt, const char *const *arguments);
/* Not tied to this process: what outlives its manager goes on until runtime_end(). With --guard,
 * pid is that of the guard. */
#define runtime_boot_loose(rt, ...) \
	runtime_boot_loose_with((rt), (const char *const[]){ __VA_ARGS__ NULL })
void runtime_boot_loose_with(struct runtime *rt, const char *const *arguments);
/* Again, under the same name, after runtime_kill(). */
#define runtime_reboot(rt, ...) runtime_reboot_with((rt), (const char *const[]){ __VA_ARGS__ NULL })
void runtime_reboot_with(struct runtime *rt, const char *const *arguments);

/* plmctl stop: the manager must end with 0 and leave no name in /dev/shm. */
void runtime_stop(struct runtime *rt);
/* SIGKILL for the manager; returns when it is dead. Its members end by themselves, or go on. */
void runtime_kill(struct runtime *rt);
/* Kills what runs, removes the names in /dev/shm and the directory. After runtime_stop() too. */
void runtime_end(struct runtime *rt);

/* Runs a program of $PLM_BIN to its end: `ctl(&rt, "get", ref)`. The runtime's name goes by
 * PLM_NAME. */
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

/* Runs it again and again until its stdout holds `expected`; fails at the deadline. */
#define ctl_until(rt, expected, ...) \
	program_until((rt), (expected), (const char *const[]){ __VA_ARGS__, NULL })
void program_until(const struct runtime *rt, const char *expected, const char *const *arguments);

/* Runs plmctl, expects this exit code, and returns stdout without its last newline; the caller
 * frees. */
#define ctl_expect(rt, code, ...) \
	program_expect((rt), (code), (const char *const[]){ __VA_ARGS__, NULL })
char *program_expect(const struct runtime *rt, int code, const char *const *arguments);

/* "/dev/shm/plm-UID-NAME.control" */
void runtime_segment(const struct runtime *rt, const char *what, char *ret, size_t size);
/* A path in the runtime's directory; a file written there. */
void scratch_path(const struct runtime *rt, const char *name, char *ret, size_t size);
void scratch_write(const struct runtime *rt, const char *name, const void *data, size_t bytes,
    char *ret_path, size_t size);

/* Does the process exist (zombies do not)? Waits until it does not; false at the deadline. */
bool wait_for_death(pid_t pid);

#endif
