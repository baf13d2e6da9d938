/* test_fleet_large.c - values too large for Redis: they stay with the host that made them, are
 * fetched from there, are made again when that host dies, and leave when nobody needs them. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "fleet/carry.h"
#include "tests/support/command_case.h"
#include "tests/support/fleet_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120, PATH_BYTES = 300, LARGE = 20000000 };
#define LARGE_TEXT "20000000"

/* Some result of LARGE bytes, byte i is i modulo 256; made on host 0. */
static char *large_made(const char *crash_retries)
{
	char *ref = fleet_expect(
	    0, "call", "--detach", "--crash-retries", crash_retries, "probe.fill", LARGE_TEXT);
	fleet_run(0, "wait", ref);
	return ref;
}

static void large_got(const char *ref)
{
	char path[PATH_BYTES];
	struct stat st;
	snprintf(path, sizeof path, "%s/got", fleet_directory);
	fleet_run(0, "get", "--output", path, ref);
	FILE *file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fstat(fileno(file), &st), 0);
	ck_assert_int_eq(st.st_size, LARGE);
	int wrong = 0;
	for (int i = 0; i < LARGE; i++)
		wrong += getc_unlocked(file) != i % 256;
	ck_assert_int_eq(wrong, 0);
	fclose(file);
	unlink(path);
}

/* A command that reads the value, and what it says of it. */
static char *large_read(const char *ref)
{
	return fleet_expect(
	    0, "submit", "--detach", "--stdin", ref, "sh", "-c", "tail -c 3 | od -An -tu1; wc -c");
}

static void large_told(const char *reader)
{
	char *text = fleet_expect(0, "get", reader);
	ck_assert_str_eq(text, " 253 254 255\n0");
	free(text);
}

static void large_host(const char *ref, unsigned i)
{
	char *row = fleet_expect(0, "info", "--json", ref);
	ck_assert_ptr_nonnull(strstr(row, fleet_host_name(i)));
	free(row);
}

START_TEST(a_large_value_stays_with_its_host_and_is_fetched)
{
	fleet_host_up(0, "1");
	char *ref = large_made("0");
	large_got(ref);
	ck_assert_int_lt(atoi(REDIS("memory", "usage", "plm:{test}:t:1")), 5000);
	char *here = large_read(ref);
	large_told(here);
	large_host(here, 0);
	fleet_host_up(1, "2");
	fleet_run(0, "drain", fleet_host_name(0));
	fleet_host_until(0, "drain");
	char *there = large_read(ref), *more = large_read(ref);
	large_told(there);
	large_told(more);
	large_host(there, 1);
	free(here);
	free(there);
	free(more);
	free(ref);
}
END_TEST

START_TEST(files_of_commands_may_be_large)
{
	fleet_host_up(0, "1");
	char *refs = fleet_expect(0, "submit", "--detach", "--out", "A", "--shell",
	    "head -c 9000000 /dev/zero | tr '\\0' x > $A; head -c 9000001 /dev/zero");
	char *file = strchr(refs, '\n');
	ck_assert_ptr_nonnull(file);
	*file++ = 0;
	fleet_host_up(1, "1");
	fleet_run(0, "drain", fleet_host_name(0));
	fleet_host_until(0, "drain");
	char in[100];
	snprintf(in, sizeof in, "A=%s", file);
	struct output_of o = fleet(
	    "submit", "--in", in, "--stdin", refs, "--shell", "wc -c < $A; wc -c; tail -c 2 $A");
	ck_assert_msg(o.code == 0, "%s", o.err);
	ck_assert_str_eq(o.out, "9000000\n9000001\nxx");
	output_free(&o);
	free(refs);
}
END_TEST

START_TEST(a_lost_value_is_made_again_where_its_task_may)
{
	fleet_host_up(0, "1");
	char *ref = large_made("1");
	fleet_host_up(1, "1");
	fleet_host_kill(0);
	fleet_host_until(0, "lost");
	char *reader = large_read(ref);
	large_told(reader);
	large_host(ref, 1);
	large_got(ref);
	free(reader);
	free(ref);
}
END_TEST

START_TEST(a_user_sets_the_task_of_a_lost_value_going)
{
	fleet_host_up(0, "1");
	char *ref = large_made("1");
	fleet_host_up(1, "1");
	fleet_host_kill(0);
	fleet_host_until(0, "lost");
	large_got(ref);
	large_host(ref, 1);
	free(ref);
}
END_TEST

START_TEST(else_the_loss_names_the_host)
{
	char loss[128];
	fleet_host_up(0, "1");
	char *ref = large_made("0");
	snprintf(loss, sizeof loss, "on host %s and is lost", fleet_host_name(0));
	fleet_host_up(1, "1");
	fleet_host_kill(0);
	fleet_host_until(0, "lost");
	char *reader = large_read(ref);
	fleet_run(1, "wait", reader);
	struct output_of o = fleet("get", ref);
	ck_assert_int_ne(o.code, 0);
	ck_assert_msg(strstr(o.err, loss) != NULL, "%s", o.err);
	output_free(&o);
	o = fleet("get", reader);
	ck_assert_msg(strstr(o.err, loss) != NULL, "%s", o.err);
	output_free(&o);
	free(reader);
	free(ref);
}
END_TEST

/* Of the runtime of host 0: bytes in its store. */
static void large_until_store_has(const char *expected)
{
	ctl_until(&fleet_host[0], expected, "--fleet", "", "objects", "--json");
}

START_TEST(a_forgotten_value_leaves_the_store)
{
	fleet_host_up(0, "1");
	char *ref = large_made("0");
	large_until_store_has("\"bytes\": " LARGE_TEXT);
	fleet_run(0, "forget", ref);
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	for (;;) {
		char *rows = ctl_expect(&fleet_host[0], 0, "--fleet", "", "objects", "--json");
		bool there = strstr(rows, LARGE_TEXT) != NULL;
		free(rows);
		if (!there)
			break;
		ck_assert_msg(clock_ns() < deadline, "the value did not leave");
	}
	ck_assert_str_eq(REDIS("eval", "return #redis.call('keys', '*drop:*')", "0"), "0");
	free(ref);
}
END_TEST

START_TEST(a_value_outlives_the_bridge)
{
	fleet_host_up(0, "1");
	char *ref = large_made("0");
	pid_t before = fleet_bridge(0);
	kill(before, SIGKILL);
	fleet_host_until(0, "lost");
	fleet_host_until(0, "up");
	large_got(ref);
	free(ref);
}
END_TEST

/* The address at which host 0 hands out values. */
static int large_door(void)
{
	char member[32], key[64], address[CARRY_ADDRESS_BYTES];
	struct sockaddr_in at = { .sin_family = AF_INET };
	snprintf(member, sizeof member, "%s", REDIS("zrange", "plm:{test}:lease", "0", "0"));
	snprintf(key, sizeof key, "plm:{test}:h:%s", member);
	snprintf(address, sizeof address, "%s", REDIS("hget", key, "serves"));
	char *port = strchr(address, ' ');
	ck_assert_ptr_nonnull(port);
	*port++ = 0;
	at.sin_port = htons((uint16_t)atoi(port));
	ck_assert_int_eq(inet_pton(AF_INET, address, &at.sin_addr), 1);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	return fd;
}

START_TEST(strangers_get_nothing)
{
	struct carry_hello hello;
	struct carry_answer answer;
	struct carry_wish wish = { .magic = "PLMVAL1", .id = UINT64_C(1) << 32 | 1 };
	fleet_host_up(0, "1");
	char *ref = large_made("0");
	int fd = large_door();
	ck_assert_int_eq(carry_receive(fd, &hello, sizeof hello), 0);
	ck_assert_int_eq(carry_send(fd, &wish, sizeof wish), 0);
	ck_assert_int_eq(carry_receive(fd, &answer, sizeof answer), 0);
	ck_assert_int_eq(answer.error, -EACCES);
	ck_assert_uint_eq(answer.bytes, 0);
	ck_assert_int_eq(carry_receive(fd, &answer, 1), -ECONNRESET);
	close(fd);
	large_got(ref);
	REDIS("hset", "plm:{test}:meta", "secret",
	    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
	struct output_of o = fleet("get", ref);
	ck_assert_int_ne(o.code, 0);
	ck_assert_msg(strstr(o.err, "does not accept the secret") != NULL, "%s", o.err);
	output_free(&o);
	free(ref);
}
END_TEST

START_TEST(another_value_than_the_one_made_is_refused)
{
	fleet_host_up(0, "1");
	char *ref = large_made("0"), place[400];
	snprintf(place, sizeof place, "%s", REDIS("hget", "plm:{test}:t:1", "f0"));
	char *hash = strchr(strchr(place, ' ') + 1, ' ') + 1;
	hash[0] = hash[0] == '0' ? '1' : '0';
	REDIS("hset", "plm:{test}:t:1", "f0", place);
	struct output_of o = fleet("get", ref);
	ck_assert_int_ne(o.code, 0);
	ck_assert_msg(strstr(o.err, "not the value that was made") != NULL, "%s", o.err);
	output_free(&o);
	free(ref);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_large_value_stays_with_its_host_and_is_fetched,
		files_of_commands_may_be_large,
		a_lost_value_is_made_again_where_its_task_may,
		a_user_sets_the_task_of_a_lost_value_going,
		else_the_loss_names_the_host,
		a_forgotten_value_leaves_the_store,
		a_value_outlives_the_bridge,
		strangers_get_nothing,
		another_value_than_the_one_made_is_refused,
	};
	if (!fleet_redis_there())
		return 0;
	return run_tests("fleet_large", TEST_TIMEOUT_S, fleet_begin, fleet_end, tests,
	    sizeof tests / sizeof tests[0]);
}
