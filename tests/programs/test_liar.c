/* test_liar.c - an admitted client that lies: at the door in each field of each message, and in the
 * segment in all words that a client may write.
 *
 * PLM_LIAR_SECONDS (2) is the duration of each test, PLM_LIAR_SEED repeats the lies. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/door.h"
#include "tests/support/deaths.h"
#include "tests/support/fixture.h"
#include "tests/support/run_suite.h"

enum {
	TEST_TIMEOUT_S = 120,
	LIAR_SECONDS = 2,
	MESSAGES = 24,
	MESSAGE_BYTES_MAX = 2000,
	HINTS = 64,
	ROUNDS_OF_A_LIAR = 8,
};

/* The scheduler may not have freed the process slots of clients that just left. */
static bool is_let_in(void *handle)
{
	int r = plm_connect(handle, host.name);
	ck_assert_msg(r == 0 || r == -EUSERS, "connect: %d, %s", r, plm_why());
	return r == 0;
}

static plm *join(void)
{
	plm *handle = NULL;
	until(is_let_in, &handle, "a place for a client");
	plm_patience(
	    handle, PATIENT_MS); /* room may be missing until the holds of a departed liar end */
	return handle;
}

static void expect_work(void)
{
	plm *handle = join();
	expect_alive(handle, 0);
	plm_disconnect(&handle);
}

/* ---- at the door ---- */

static int knock(void)
{
	struct sockaddr_un address;
	struct timeval patience = { .tv_sec = PATIENT_MS / 1000 };
	ck_assert_int_eq(door_address(host.name, &address), 0);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

/* Each field is right more often than wrong, so that the manager reads the next field. No lie is a
 * stop, since the manager would rightly stop. */
static struct door_request lie(uint64_t *random)
{
	struct door_request r = { .magic = DOOR_MAGIC, .version = DOOR_VERSION };
	uint64_t which = random_next(random);
	r.kind = (uint32_t)(which % 8 ? random_next(random) % 12 : random_next(random));
	if (r.kind == DOOR_STOP || r.kind == DOOR_STOP_NOW)
		r.kind = DOOR_MODULE;
	if (which % 11 == 0)
		r.magic = (uint32_t)random_next(random);
	if (which % 13 == 0)
		r.version = (uint32_t)random_next(random);
	r.number = (uint32_t)random_next(random);
	if (which % 3 == 0) /* random bytes without a final zero */
		for (size_t i = 0; i < sizeof r.text; i++)
			r.text[i] = (char)random_next(random);
	else /* a number of workers or of a worker; a process slot with its generation */
		snprintf(r.text, sizeof r.text, "%d %u", (int)(random_next(random) % 70) - 2,
		    (unsigned)(random_next(random) % 5));
	if (r.kind == DOOR_WORKERS || r.kind == DOOR_WORKER_DRAIN || r.kind == DOOR_ADMISSION)
		r.text[0] = 'x'; /* the manager would rightly obey a correct request */
	return r;
}

static void send_lies(int fd, uint64_t *random)
{
	static char bytes[MESSAGE_BYTES_MAX];
	struct door_request hello = { .magic = DOOR_MAGIC,
		.version = DOOR_VERSION,
		.kind = random_next(random) % 4 ? DOOR_HELLO : DOOR_VISIT,
		.text = "liar" };
	if (random_next(random) % 4)
		(void)!send(fd, &hello, sizeof hello, MSG_NOSIGNAL);
	for (int i = 0; i < MESSAGES; i++) {
		struct door_request r = lie(random);
		size_t length = sizeof r;
		memcpy(bytes, &r, sizeof r);
		if (random_next(random) % 6 == 0)
			length = random_next(random) % sizeof bytes;
		(void)!send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
}

START_TEST(lies_at_the_door_are_refused_and_others_are_served)
{
	uint64_t seed = number_from("PLM_LIAR_SEED", clock_ns() | 1), random = seed;
	uint64_t end = clock_ns() + number_from("PLM_LIAR_SECONDS", LIAR_SECONDS) * NS_PER_S;
	uint64_t messages = 0;
	plm *handle = join();
	do {
		int fd = knock();
		send_lies(fd, &random);
		close(fd);
		messages += MESSAGES;
		expect_alive(handle, 0);
		expect_work(); /* the door still works */
	} while (clock_ns() < end);
	printf("liar: PLM_LIAR_SEED=%llu, %llu messages at the door\n", (unsigned long long)seed,
	    (unsigned long long)messages);
	expect_nothing_left(&host, handle);
	plm_disconnect(&handle);
}
END_TEST

/* ---- in the segment ---- */

/* Writes random values into the process slot and the ring of the liar, which a client may write. */
static void lie_in_the_segment(plm *liar, uint64_t *random)
{
	struct tables *t = plm_tables(liar);
	uint64_t hints[HINTS];
	uint32_t records = t->limits.records;
	for (int i = 0; i < HINTS; i++) {
		uint64_t wild = random_next(random);
		uint32_t index = wild % 5 ? (uint32_t)(wild >> 8) % records : (uint32_t)(wild >> 8);
		uint32_t generation = (uint32_t)(random_next(random) % 8);
		enum hint_kind kind = (enum hint_kind)(random_next(random) % 8);
		if (kind == HINT_KEPT) /* the runtime would rightly keep the future for ever */
			kind = HINT_IMPORT;
		hints[i] = hint_make(kind, (uint64_t)generation << 32 | index);
	}
	struct process *me = liar->me;
	sh_poke(&me->awaiting, (uint32_t)random_next(random));
	sh_poke(&me->waiter[random_next(random) % WAITERS].awaiting, (uint32_t)random_next(random));
	sh_poke(&t->grace[random_next(random) % records], random_next(random));
	sh_poke(&me->imported, random_next(random));
	sh_poke(&me->node, (uint32_t)random_next(random));
	sh_poke(&me->cpu, (uint32_t)random_next(random));
	sh_poke(&me->beat_ns, random_next(random));
	tell_scheduler(t, liar->self, hints, HINTS, true);
}

/* The liar leaves as unclean, so the scheduler ends all its holds. The scheduler believes a client
 * that leaves as clean, which spares the scan of all records. */
static void leave_unclean(plm **liar)
{
	atomic_store(&(*liar)->held, 1);
	sh_store(&(*liar)->me->unclean, 1);
	plm_disconnect(liar);
}

START_TEST(lies_in_every_hint_cost_others_nothing)
{
	uint64_t seed = number_from("PLM_LIAR_SEED", clock_ns() | 1), random = seed;
	uint64_t end = clock_ns() + number_from("PLM_LIAR_SECONDS", LIAR_SECONDS) * NS_PER_S;
	uint64_t hints = 0, rounds = 0;
	plm *honest = join(), *liar = join();
	do {
		lie_in_the_segment(liar, &random);
		hints += HINTS;
		expect_alive(honest, 0);
		if (++rounds % ROUNDS_OF_A_LIAR == 0) {
			leave_unclean(&liar);
			liar = join();
		}
	} while (clock_ns() < end);
	printf("liar: PLM_LIAR_SEED=%llu, %llu hints\n", (unsigned long long)seed,
	    (unsigned long long)hints);
	plm_status s;
	ck_assert_int_eq(plm_status_get(honest, &s), 0);
	ck_assert_uint_eq(s.restarts, 0);
	leave_unclean(&liar);
	expect_nothing_left(&host, honest);
	plm_disconnect(&honest);
}
END_TEST

/* The liar says that it holds nothing, asks for a hold nevertheless, and leaves. */
START_TEST(a_hold_that_is_granted_to_one_that_has_left_ends_with_it)
{
	static char bytes[100];
	plm_ref ref;
	plm *honest = join(), *liar = join();
	ck_assert_int_eq(plm_put(honest, bytes, sizeof bytes, &ref), 0);
	sh_store(&liar->me->unclean, 0);
	uint64_t hint = hint_make(HINT_IMPORT, ref.id);
	tell_scheduler(&liar->tables, liar->self, &hint, 1, false);
	plm_disconnect(&liar);
	plm_drop(honest, ref);
	expect_nothing_left(&host, honest);
	plm_disconnect(&honest);
}
END_TEST

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	Suite *suite = suite_create("liar");
	TCase *tcase = tcase_create("liar");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S + (double)number_from("PLM_LIAR_SECONDS", 0));
	tcase_add_checked_fixture(tcase, host_boot_small, host_stop);
	tcase_add_test(tcase, lies_at_the_door_are_refused_and_others_are_served);
	tcase_add_test(tcase, lies_in_every_hint_cost_others_nothing);
	tcase_add_test(tcase, a_hold_that_is_granted_to_one_that_has_left_ends_with_it);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
