/* soak_main.c - make soak: a runtime under load and faults, and a judgement of all results.
 *
 * Each round has load and faults for some seconds, then peace: all clients check the futures
 * they hold and end. Then the history is judged, and nothing may be left over. The runtime lives
 * through all rounds. PLM_SOAK_MINUTES sets the length of the load, PLM_SOAK_SEED repeats the
 * choices. */
#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "verify/soak/bytes.h"
#include "verify/soak/soak_judge.h"
#include "verify/soak/nemesis.h"
#include "tests/support/deaths.h"
#include "tests/support/run_suite.h"

enum {
	ROUND_MS = 20000,
	PACE_MS = 80,
	CALLERS = 2,
	TEST_TIMEOUT_S = 900,
	PATH_BYTES = 128,
	END_MS = 3 * PATIENT_MS,
	LOOK_AGAIN_NS = 2000000
};
#define SHM_SIZE "size=300m"
#define DISK_SIZE "size=24m"

static struct runtime rt;
static struct nemesis nemesis;
static struct verdict verdict;
static struct meeting *meeting;
static char place[PATH_BYTES], history[PATH_BYTES], state[PATH_BYTES], program[PATH_BYTES],
    module[2 * PATH_BYTES];
static uint32_t lives, life_of[ATTENDANTS];
static unsigned rounds, bad_ends, leaked;

/* ---- the place of the soak ---- */

/* Mounts small file systems for this run where that is permitted; they end with the run. */
static void settle_in(void)
{
	snprintf(place, sizeof place, "/tmp/plm-soak-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(place));
	snprintf(history, sizeof history, "%.100s/history", place);
	snprintf(state, sizeof state, "%.100s/state", place);
	ck_assert(mkdir(history, 0700) == 0 && mkdir(state, 0700) == 0);
	setenv("SOAK_HISTORY", history, 1);
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		printf("soak: no mounts of our own: neither disk nor /dev/shm will be full\n");
		return;
	}
	nemesis.own_shm = mount("soak", "/dev/shm", "tmpfs", 0, SHM_SIZE) == 0;
	nemesis.disk = mount("soak", state, "tmpfs", 0, "mode=700," DISK_SIZE) == 0 ? state : NULL;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

static void move_out(void)
{
	if (nemesis.disk)
		umount2(state, MNT_DETACH);
	nftw(place, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void find_programs(void)
{
	ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
	ck_assert_int_gt(n, 0);
	snprintf(module, sizeof module, "%.*s/mod_soak.so", (int)(strrchr(program, '/') - program),
	    program);
}

/* ---- clients ---- */

static void client_start(unsigned slot)
{
	struct attendance a = { .rt = &rt,
		.history = history,
		.program = program,
		.meeting = meeting,
		.slot = slot,
		.life = life_of[slot] = ++lives,
		.random = random_next(&nemesis.random) | 1 };
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0 && slot < CALLERS)
		caller_run(&a);
	if (pid == 0)
		client_run(&a);
	nemesis.client[slot] = pid;
}

/* Returns true when the client has ended. */
static bool client_ended(unsigned slot)
{
	int status;
	if (nemesis.client[slot] == 0)
		return true;
	if (waitpid(nemesis.client[slot], &status, WNOHANG) != nemesis.client[slot])
		return false;
	bool killed = nemesis.killed[slot] == nemesis.client[slot];
	if (status != 0 && !killed) {
		bad_ends++;
		fprintf(stderr, "soak: client %u ended with wait status %#x\n", life_of[slot],
		    (unsigned)status);
	}
	meeting_forget(meeting, slot, life_of[slot]);
	nemesis.client[slot] = 0;
	return true;
}

/* Orphans become children of the soak. Clients and other children are reaped where the exit code
 * is needed. */
static void reap_orphans(void)
{
	siginfo_t ended = { .si_pid = 0 };
	while (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid) {
		if (nemesis_owns(&nemesis, ended.si_pid))
			break;
		waitpid(ended.si_pid, NULL, 0);
		ended.si_pid = 0;
	}
}

static bool all_ended(void)
{
	bool all = true;
	for (unsigned i = 0; i < ATTENDANTS; i++)
		all &= client_ended(i);
	return all;
}

static void await_clients(void)
{
	static const struct timespec pause = { .tv_nsec = LOOK_AGAIN_NS };
	uint64_t deadline = deadline_after_ms(END_MS);
	while (!all_ended() && clock_ns() < deadline)
		nanosleep(&pause, NULL);
	for (unsigned i = 0; i < ATTENDANTS; i++)
		if (nemesis.client[i]) {
			verdict.found[FOUND_HUNG]++;
			fprintf(stderr, "hung: client %u, pid %d\n", life_of[i],
			    (int)nemesis.client[i]);
			kill(nemesis.client[i], SIGKILL);
			waitpid(nemesis.client[i], NULL, 0);
			nemesis.client[i] = 0;
		}
}

/* ---- tasks that outlive their client ---- */

static void look_at_kept(const struct note *asked, const struct note *accepted, int file)
{
	plm_view view;
	plm_ref ref = { accepted->ref, accepted->input[0] };
	struct note seen = { .deed = DEED_SEEN,
		.task = asked->task,
		.life = task_life(asked->task),
		.outcome = OUTCOME_GONE };
	int r = plm_hold(nemesis.handle, ref);
	if (r == 0 && (r = plm_get(nemesis.handle, ref, &view, PATIENT_MS)) == 0) {
		seen.outcome = OUTCOME_DONE;
		seen.value = bytes_digest(view.data, view.len);
		plm_release(nemesis.handle, &view);
	}
	if (r == -ETIMEDOUT)
		seen.deed = DEED_HUNG;
	if (r == -PLM_EFAILED)
		seen.outcome = OUTCOME_FAILED;
	seen.code = -r;
	history_write(file, seen);
	plm_forget(nemesis.handle, ref);
	plm_drop(nemesis.handle, ref);
}

static bool has_note(
    const struct history *h, enum deed deed, uint64_t task, uint32_t life, const struct note **ret)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->note[i].deed == deed &&
		    (task ? h->note[i].task == task : h->note[i].life == life)) {
			*ret = &h->note[i];
			return true;
		}
	return false;
}

/* The soak checks the kept tasks of callers that died. Some may be kept or not: the caller was
 * killed, or got no answer, before plmctl printed the reference or while plmctl dropped the
 * task. */
static unsigned look_at_all_kept(const struct history *h)
{
	unsigned unsure = 0;
	const struct note *accepted, *note;
	for (size_t i = 0; i < h->n; i++) {
		const struct note *asked = &h->note[i];
		if (asked->deed != DEED_ASKED || !(asked->flags & ASKED_KEPT))
			continue;
		if (!has_note(h, DEED_ACCEPTED, asked->task, 0, &accepted))
			unsure++;
		else if (!has_note(h, DEED_DROPS, asked->task, 0, &note))
			look_at_kept(asked, accepted, nemesis.history);
		else
			unsure += !has_note(h, DEED_LEFT, 0, asked->life, &note);
	}
	return unsure;
}

/* Of the runtime's own hold: how many are kept, and with `forget` none is any more. */
static unsigned count_kept(bool forget)
{
	const struct tables *t = plm_tables(nemesis.handle);
	unsigned kept = 0;
	for (uint32_t i = 0; i < t->limits.records; i++) {
		uint64_t word = sh_load(&t->record[i].state);
		if (word_state(word) == RECORD_FREE || !(sh_load(&t->record[i].holds) & 1))
			continue;
		kept++;
		if (forget)
			plm_forget(nemesis.handle,
			    ref_public(nemesis.handle, record_ref(i, word_generation(word))));
	}
	return kept;
}

static bool kept_are_accounted_for(void *unsure)
{
	return count_kept(false) <= *(unsigned *)unsure;
}

/* ---- a round ---- */

static void soak_main_storm(uint64_t ms)
{
	uint64_t end = deadline_after_ms((int)ms);
	while (clock_ns() < end) {
		struct timespec pace = { .tv_nsec = (long)(random_next(&nemesis.random) %
					     (PACE_MS * NS_PER_MS)) };
		nanosleep(&pace, NULL); /* the pace of the faults, not a wait for anything */
		nemesis_act(&nemesis);
		for (unsigned i = 0; i < ATTENDANTS; i++)
			if (client_ended(i))
				client_start(i);
		reap_orphans();
	}
	nemesis_relent(&nemesis);
}

static void judge_round(void)
{
	struct history h;
	ck_assert_int_eq(history_read(history, 0, &h), 0);
	unsigned unsure = look_at_all_kept(&h);
	leaked += !comes_to(kept_are_accounted_for, &unsure);
	count_kept(true);
	free(h.note);
	ck_assert_int_eq(history_read(history, 1, &h), 0);
	ck_assert_int_eq(judge(&h, stderr, &verdict), 0);
	free(h.note);
}

static void round_of(uint64_t ms)
{
	atomic_store(&meeting->over, false);
	memset(meeting->box, 0, sizeof meeting->box);
	for (unsigned i = 0; i < ATTENDANTS; i++)
		client_start(i);
	soak_main_storm(ms);
	atomic_store(&meeting->over, true);
	await_clients();
	judge_round();
	leaked += !nothing_left(&rt, nemesis.handle);
	rounds++;
}

/* ---- the report ---- */

static void tell_load(uint64_t ms)
{
	const uint64_t *d = verdict.deeds, *o = verdict.outcome;
	uint64_t faults = 0;
	printf("soak: %u rounds, %" PRIu64 " s of load\n", rounds, ms / 1000);
	printf("  accepted %" PRIu64 " tasks, %" PRIu64 " commands, %" PRIu64
	       " objects; refused %" PRIu64 "\n",
	    verdict.accepted[WORK_TASK], verdict.accepted[WORK_COMMAND],
	    verdict.accepted[WORK_OBJECT], d[DEED_REFUSED]);
	printf("  attempts %" PRIu64 ", cancels %" PRIu64 ", returns %" PRIu64 ", drops %" PRIu64
	       "\n",
	    d[DEED_BEGUN], d[DEED_CANCELS], d[DEED_RETURNS], d[DEED_DROPS]);
	printf("  seen %" PRIu64 " done, %" PRIu64 " failed, %" PRIu64 " cancelled; looks %" PRIu64
	       ", orphaned %" PRIu64 "\n",
	    o[OUTCOME_DONE], o[OUTCOME_FAILED], o[OUTCOME_CANCELLED], d[DEED_SEEN],
	    verdict.orphaned);
	for (enum fault f = 0; f < FAULTS; f++) {
		printf("  %-16s %6" PRIu64 "%s", fault_name(f), nemesis.count[f],
		    f % 3 == 2 ? "\n" : "");
		faults += nemesis.count[f];
	}
	printf("  %" PRIu64 " faults, %u clients\n", faults, lives);
}

static uint64_t tell_finding(const char *name, uint64_t n)
{
	printf("  %-16s %6" PRIu64 " %s\n", name, n, n ? "FAILED" : "ok");
	return n;
}

static uint64_t tell_findings(void)
{
	uint64_t all = 0;
	for (enum finding f = 0; f < FINDINGS; f++)
		all += tell_finding(finding_name(f), verdict.found[f]);
	all += tell_finding("leaked", leaked);
	return all + tell_finding("ended badly", bad_ends);
}

/* ---- the whole ---- */

/* Any process still there is left over. */
static bool is_alone(void *context)
{
	(void)context;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return waitpid(-1, NULL, WNOHANG) < 0;
}

static uint64_t load_ms(void)
{
	const char *minutes = getenv("PLM_SOAK_MINUTES");
	return (uint64_t)(60000 * (minutes ? strtod(minutes, NULL) : 1));
}

static void soak_main_begin(uint64_t seed, const char *const *boot)
{
	runtime_boot_loose_with(&rt, boot);
	nemesis.rt = &rt;
	nemesis.boot = boot;
	nemesis.random = seed;
	nemesis.history = history_open(history, "nemesis");
	ck_assert_msg(plm_connect(&nemesis.handle, rt.name) == 0, "%s", plm_why());
}

static void soak_main_end(void)
{
	plm_disconnect(&nemesis.handle);
	runtime_stop(&rt);
	runtime_end(&rt);
	leaked += !comes_to(is_alone, NULL);
	move_out();
}

START_TEST(whatever_happens_to_it_a_runtime_keeps_its_promises)
{
	uint64_t seed = number_from("PLM_SOAK_SEED", clock_ns() | 1), ms = load_ms();
	const char *const boot[] = { "--guard", "--workers", "3", "--tasks", "8192", "--store",
		"256M", "--accept-free", "0", "--state", state, "--history-count", "200",
		"--keep-finished", "all", "--module", module, NULL };
	printf("soak: PLM_SOAK_SEED=%" PRIu64 "\n", seed);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	meeting = shared_memory(sizeof *meeting);
	find_programs();
	settle_in();
	soak_main_begin(seed, boot);
	for (uint64_t done = 0; done < ms; done += ROUND_MS)
		round_of(ms - done < ROUND_MS ? ms - done : ROUND_MS);
	soak_main_end();
	tell_load(ms);
	ck_assert_uint_eq(tell_findings(), 0);
}
END_TEST

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--command") == 0)
		return command_run(argv + 2);
	setvbuf(stdout, NULL, _IOLBF, 0);
	Suite *suite = suite_create("soak");
	TCase *tcase = tcase_create("soak");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S + 2 * (double)load_ms() / 1000);
	tcase_add_test(tcase, whatever_happens_to_it_a_runtime_keeps_its_promises);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
