/* sweep_command.c - a command, whose worker is killed at every step: the command dies with the
 * worker, nothing of the output is left, and the next worker in the process slot neither seems
 * to sleep for a command nor to use memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "tables/command_block.h"
#include "tables/lent.h"
#include "tests/support/meanwhile.h"
#include "tests/support/world.h"
#include "command/command.h"

enum { RESULTS = 2, LINE_BYTES = 64, FULL_BYTES = 300000, OUTPUT_BYTES = 800000 };
#define HUGE_BYTES ((uint64_t)1 << 50)

static int gate[2]; /* a pipe */
static int file;    /* for output that finds no room */

static plm_ref task[RESULTS];

static struct process *slot(void)
{
	return &world.tables.process[WORLD_WORKER];
}

/* ---- setups ---- */

static void register_commands(void)
{
	const char *name = command_module.exports[0].name;
	command_offer();
	SWEEP_REQUIRE(registry_add(&world.tables.registry, MODULE_COMMANDS, command_module.name,
			  &name, command_module.count) == 0);
}

/* A line for a shell, to be run once. */
static void submit(const char *line)
{
	char fields[32];
	size_t n = command_add(fields, 0, sizeof fields, COMMAND_SHELL, "");
	plm_task t = { .function = COMMAND_FUNCTION,
		.nargs = COMMAND_ARG_WORDS + 1,
		.results = RESULTS,
		.args = (plm_arg[]){
		    PLM_BYTES(fields, n), PLM_BYTES("", 0), PLM_BYTES(line, strlen(line)) } };
	world_boot();
	register_commands();
	SWEEP_REQUIRE(plm_submit(&world.b, &t, task) == 0);
	world_settle();
}

/* The output fits into the record, the log does not. */
static void setup_quick(void *image)
{
	(void)image;
	submit("echo quick");
	world.tables.control->jobserver = JOBSERVER_PIPE;
	sh_store(&slot()->memory_peak, HUGE_BYTES); /* the peak of the last command */
}

/* The output is longer than a worker keeps in memory, so it goes to the submitter's file. */
static void setup_full(void *image)
{
	static const char fields[] = { COMMAND_OUTLET, 0 }, zeroes[FULL_BYTES];
	struct stat st;
	(void)image;
	file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
	SWEEP_REQUIRE(file >= 0 && fstat(file, &st) == 0);
	const struct command_outlet outlet = { .pid = getpid(),
		.fd = { file, file },
		.device = { st.st_dev, st.st_dev },
		.inode = { st.st_ino, st.st_ino } };
	plm_task t = { .function = COMMAND_FUNCTION,
		.nargs = COMMAND_ARG_WORDS + 4,
		.results = RESULTS,
		.args = (plm_arg[]){ PLM_BYTES(fields, sizeof fields), PLM_BYTES("", 0),
		    PLM_BYTES("head", 4), PLM_BYTES("-c800000", 8), PLM_BYTES("/dev/zero", 9),
		    PLM_BYTES(&outlet, sizeof outlet) } };
	world_boot();
	register_commands();
	world_put(&world.a, zeroes, sizeof zeroes);
	SWEEP_REQUIRE(plm_submit(&world.b, &t, task) == 0);
	world_settle();
}

/* The command ends when the test says so. */
static void setup_slow(void *image)
{
	char line[LINE_BYTES];
	(void)image;
	SWEEP_REQUIRE(pipe2(gate, O_CLOEXEC | O_NONBLOCK) == 0);
	snprintf(line, sizeof line, "read word </proc/%d/fd/%d; echo slow", (int)getpid(), gate[0]);
	submit(line);
}

static void let_it_end(void)
{
	SWEEP_REQUIRE(write(gate[1], "go\n", 3) == 3);
}

/* ---- operations ---- */

/* Until then no process has measured the memory. */
static void others_see_its_memory(void)
{
	if (!sh_load(&slot()->memory))
		sweep_fail("a command has no memory");
	let_it_end();
}

static void others_see_it(void)
{
	if (!sh_load(&slot()->alert))
		sweep_fail("who asks it to stop does not know that it sleeps for a command");
	meanwhile_once("command_memory: poke memory_peak, looked at", others_see_its_memory);
}

static void play_worker(void)
{
	world_play(&world.worker.rt);
	world.worker.now_ns = clock_ns();
}

static void run_task(void *image)
{
	(void)image;
	play_worker();
	meanwhile_once("command_memory: poke memory_peak, begun", others_see_it);
	SWEEP_REQUIRE(worker_run_record(&world.worker, ref_index(task[0].id)));
	worker_report(&world.worker);
	if (sh_load(&slot()->alert) || sh_load(&slot()->memory))
		sweep_fail("the command has ended, and its worker seems to sleep for one still");
	if (sh_load(&slot()->memory_peak) == HUGE_BYTES)
		sweep_fail("the memory of the last command is taken for this one's");
}

static void run_full(void *image)
{
	(void)image;
	play_worker();
	SWEEP_REQUIRE(worker_run_record(&world.worker, ref_index(task[0].id)));
	worker_report(&world.worker);
	if (sh_load(&slot()->room_wanted))
		sweep_fail("the command has ended, and its worker seems to wait for room still");
}

static void run_slow(void *image)
{
	char stale[LINE_BYTES];
	while (read(gate[0], stale, sizeof stale) > 0)
		; /* a process died that had opened the gate */
	run_task(image);
	if (sh_load(&slot()->memory_peak) == 0)
		sweep_fail("nobody has looked at its memory");
}

/* ---- verdicts ---- */

static const char *judge_output(const char *text)
{
	if (sh_load(&slot()->alert) || sh_load(&slot()->memory) ||
	    lent_open(sh_load(&slot()->lent)))
		return "the next worker seems to run a command";
	if (world_failed(task[0], EOWNERDEAD, NULL, task[0]))
		return sh_load(&slot()->memory_peak) ? "the next worker seems to have run it"
						     : NULL;
	return world_yields(task[0], text, strlen(text)) ? NULL : "a command left half its output";
}

static const char *quick_or_dead(void)
{
	return judge_output("quick\n");
}
static const char *slow_or_dead(void)
{
	return judge_output("slow\n");
}

static const char *full_or_dead(void)
{
	static const char zeroes[OUTPUT_BYTES];
	struct stat st = { .st_size = 0 };
	fstat(file, &st);
	if (sh_load(&slot()->room_wanted))
		return "the next worker seems to wait for room";
	if (world_failed(task[0], EOWNERDEAD, NULL, task[0]))
		return NULL;
	if (world_yields(task[0], "", 0) && st.st_size == OUTPUT_BYTES)
		return NULL;
	return world_yields(task[0], zeroes, sizeof zeroes)
	    ? NULL
	    : "the output of a command is lost for want of room";
}

static const char *judge_full(void *image)
{
	(void)image;
	return world_judge(WORLD_WORKER, full_or_dead);
}

static const char *judge_quick(void *image)
{
	(void)image;
	return world_judge(WORLD_WORKER, quick_or_dead);
}

static const char *judge_slow(void *image)
{
	(void)image;
	let_it_end(); /* if the command runs only now */
	return world_judge(WORLD_WORKER, slow_or_dead);
}

static const struct sweep_op ops[] = {
	LONG("a quick command, with a jobserver", setup_quick, run_task, recover_worker,
	    judge_quick),
	LONG("a command with a long output", setup_full, run_full, recover_worker, judge_full),
	LONG("a command whose memory is looked at", setup_slow, run_slow, recover_worker,
	    judge_slow),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
