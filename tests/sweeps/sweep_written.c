/* sweep_written.c - the journal process, killed at every step: while the journal opens the file,
 * writes news, fails to write, finds the file damaged, or queues tasks of an earlier boot again.
 * The successor writes each task once, with the task's end, and queues each task of an earlier
 * boot once.
 *
 * The files are not part of the image: each victim begins with a copy of the setup's files, each
 * successor with a copy of the files that the victim left. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rmtree.h"
#include "journal/journal.h"
#include "journal/journal_trouble.h"
#include "tests/support/meanwhile.h"
#include "tests/support/world.h"

enum { LARGE_BYTES = 100, JOURNAL = WORLD_JOINING, PATH_BYTES = 128, TINY_FILE = 4096 };

static char large[LARGE_BYTES], base[] = "/dev/shm/plm-sweep-XXXXXX";
static struct journal journal;
static unsigned naps, tasks; /* sleeps of the victim; tasks to be written */

/* ---- directories ---- */

static void path_of(const char *directory, const char *file, char ret[PATH_BYTES])
{
	snprintf(ret, PATH_BYTES, "%s/%s/%s", base, directory, file);
}

static void make_directory(const char *directory)
{
	char path[PATH_BYTES];
	path_of(directory, "", path);
	rmtree_at(AT_FDCWD, path);
	SWEEP_REQUIRE(mkdir(path, 0700) == 0);
}

static void copy_file(const char *from, const char *to, const char *file)
{
	char path[PATH_BYTES], bytes[8192];
	ssize_t n;
	path_of(from, file, path);
	int in = open(path, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return;
	path_of(to, file, path);
	int out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	SWEEP_REQUIRE(out >= 0);
	while ((n = read(in, bytes, sizeof bytes)) > 0)
		SWEEP_REQUIRE(write(out, bytes, (size_t)n) == n);
	close(in);
	close(out);
}

/* The files that SQLite needs; SQLite makes further files again. */
static void copy_directory(const char *from, const char *to)
{
	make_directory(to);
	copy_file(from, to, JOURNAL_FILE);
	copy_file(from, to, JOURNAL_FILE "-wal");
}

/* ---- a journal in such a directory ---- */

static void open_journal(const char *directory)
{
	static char path[PATH_BYTES];
	struct journal_plan plan = {
		.directory = path, .slot = JOURNAL, .durability = DURABILITY_BATCH
	};
	path_of(directory, "", path);
	SWEEP_REQUIRE(
	    freopen("/dev/null", "w", stderr)); /* discards the log of expected failures */
	memset(&journal, 0, sizeof journal);
	tables_share(&world.tables, &journal.rt.tables);
	SWEEP_REQUIRE(journal_open(&journal, &plan) == 0);
}

static void claim_slot(void)
{
	SWEEP_REQUIRE(process_claim(&world.tables.process[JOURNAL], KIND_JOURNAL, 0, "journal"));
}

static void write_all(void)
{
	atomic_store(&journal.stop, true);
	journal_run(&journal);
}

/* First the journal pauses for more news, and a client is in a hurry; then the journal rests,
 * and ends. */
static void wake_journal(void)
{
	struct journal_shm *shm = &world.tables.control->journal;
	if (naps++ == 0) {
		sh_store(&shm->hurry, 1);
		event_post(&shm->urgent);
	} else {
		atomic_store(&journal.stop, true);
		process_bump(&world.tables, JOURNAL);
	}
}

/* ---- setups ---- */

static void boot(void)
{
	memset(large, 'J', sizeof large);
	world_boot();
	world.tables.control->journal.slot = JOURNAL;
	world.tables.control->journal.durability = DURABILITY_BATCH;
}

static plm_ref submit_kept_with(plm_arg arg)
{
	plm_ref ref;
	plm_task t = { .function = "probe.echo",
		.args = &arg,
		.nargs = 1,
		.crash_retries = 1,
		.flags = PLM_KEEP };
	SWEEP_REQUIRE(plm_submit(&world.b, &t, &ref) == 0);
	return ref;
}

static plm_ref submit_kept(void)
{
	return submit_kept_with(PLM_BYTES(large, sizeof large));
}

/* One task has ended, another is queued. A third waits for it, from an earlier place of the table:
 * the journal comes to the third first, and has to take the second before. */
static void setup_news(void *image)
{
	(void)image;
	boot();
	/* Client b takes records in pairs, then in fours, and each from above: so the next two
	 * tasks stand in one four. */
	plm_drop(&world.b, world_put(&world.b, "", 0));
	submit_kept();
	world_work();
	plm_ref queued = submit_kept();
	plm_ref waits = submit_kept_with(PLM_FUTURE(queued));
	SWEEP_REQUIRE(ref_index(waits.id) < ref_index(queued.id));
	world_settle();
	tasks = 3;
	make_directory("setup");
	claim_slot();
	sh_store(&world.tables.news[0], 0); /* a former journal took the news, and died */
}

/* In another process, which keeps the lock and the file open as long as the process lives. */
static void write_of_former_boot(void)
{
	pid_t pid = fork();
	SWEEP_REQUIRE(pid >= 0);
	if (pid == 0) {
		open_journal("setup");
		write_all();
		journal_close(&journal);
		_exit(0);
	}
	SWEEP_REQUIRE(waitpid(pid, NULL, 0) == pid);
}

static void setup_unfinished(void *image)
{
	(void)image;
	boot();
	submit_kept();
	world_settle();
	make_directory("setup");
	claim_slot();
	write_of_former_boot();
	tasks = 1;
	boot();
	claim_slot();
	sh_store(&world.tables.control->journal.trouble, ENOSPC); /* left by a former journal */
}

/* ---- operations ---- */

/* A client that waits for the disk is told, though the writing journal has died. */
static const char *each_is_recorded(void)
{
	struct tables *t = &world.tables;
	for (uint32_t i = 0; i < pool_fresh(&t->pool); i++)
		if (journal_wants(t, record_at(t, i)) && !journal_recorded(t, i))
			return "a task is in the journal, and who waits for that is not told";
	return NULL;
}

static void live(void *image)
{
	const struct journal_shm *shm = &world.tables.control->journal;
	(void)image;
	copy_directory("setup", "victim");
	open_journal("victim");
	meanwhile("steps: futex wait", wake_journal);
	journal_run(&journal);
	SWEEP_REQUIRE(naps == 2 && !sh_load(&shm->hurry) && sh_load(&shm->to_resume) == 0);
	SWEEP_REQUIRE(sh_load(&shm->accepted) + sh_load(&shm->resumed) == tasks);
	SWEEP_REQUIRE(!each_is_recorded());
}

/* The file may not grow: as on a full disk. */
static void write_in_vain(void *image)
{
	const struct rlimit tiny = { TINY_FILE, TINY_FILE };
	const struct journal_shm *shm = &world.tables.control->journal;
	(void)image;
	copy_directory("setup", "victim");
	open_journal("victim");
	signal(SIGXFSZ, SIG_IGN);
	SWEEP_REQUIRE(setrlimit(RLIMIT_FSIZE, &tiny) == 0);
	write_all();
	SWEEP_REQUIRE(sh_load(&shm->failures) == 1 && sh_load(&shm->trouble) != 0);
}

static void end_well(void)
{
	if (sh_load(&world.tables.control->journal.trouble) == EUCLEAN)
		_exit(0);
}

static void give_up(void *image)
{
	(void)image;
	copy_directory("setup", "victim");
	open_journal("victim");
	atexit(end_well);
	journal_give_up(&journal);
}

/* ---- the successor, and the files it leaves ---- */

static void recover(void *image)
{
	(void)image;
	world_recover(JOURNAL);
}

static int count_rows(const char *query)
{
	sqlite3_stmt *s;
	SWEEP_REQUIRE(sqlite3_prepare_v2(journal.db.handle, query, -1, &s, NULL) == SQLITE_OK);
	SWEEP_REQUIRE(sqlite3_step(s) == SQLITE_ROW);
	int n = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return n;
}

static const char *judge_rows(void)
{
	if (count_rows("SELECT count(*) FROM task") != (int)tasks)
		return "a task is not in the journal, or twice";
	if (count_rows("SELECT count(*) FROM ended") != (int)tasks ||
	    count_rows("SELECT count(DISTINCT task) FROM ended") != (int)tasks)
		return "the end of a task is not in the journal, or twice";
	return NULL;
}

/* The runtime keeps each value exactly once. */
static const char *each_has_its_value(void)
{
	const struct tables *t = &world.tables;
	unsigned n = 0;
	for (uint32_t i = 0; i < pool_fresh(&t->pool); i++) {
		uint64_t word = sh_load(&record_at(t, i)->state);
		if (word_state(word) == RECORD_FREE || !hold_test(t, i, SLOT_MANAGER))
			continue;
		plm_ref ref = ref_public(&world.b, record_ref(i, word_generation(word)));
		world_share(&world.b, ref);
		if (!world_yields(ref, large, sizeof large))
			return "a durable task has no value";
		plm_drop(&world.b, ref);
		n++;
	}
	return n == tasks ? NULL : "a durable task is lost, or was queued twice";
}

/* The records are judged when the journal holds none of them any more. */
static const char *judge(void *image)
{
	(void)image;
	copy_directory("victim", "successor");
	claim_slot();
	open_journal("successor");
	while (resume_some(&journal))
		;
	write_all();
	const char *why = each_is_recorded();
	world_play(&world.b);
	world_play(&world.worker.rt);
	world_work();
	write_all();
	why = why ? why : judge_rows();
	journal_close(&journal);
	world_declare_dead(JOURNAL);
	world_settle();
	return why ? why : world_judge(JOURNAL, each_has_its_value);
}

static const struct sweep_op ops[] = {
	LONG("a journal, from its birth to a rest", setup_news, live, recover, judge),
	LONG("a journal that queues a task again", setup_unfinished, live, recover, judge),
	LONG("a journal on a full disk", setup_news, write_in_vain, recover, judge),
	LONG("a journal that gives up", setup_news, give_up, recover, judge),
};

int main(void)
{
	bool again = getenv("LD_BIND_NOW"); /* sweep_run() starts the program anew */
	if (again && !mkdtemp(base))
		return 2;
	int failures = sweep_run(ops, COUNT_OF(ops));
	rmtree_at(AT_FDCWD, base);
	return failures ? 1 : 0;
}
