#include "worker/probe.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	NUMBER_TEXT_BYTES = 32, /* room for any 64-bit number, and some white space around it */
	QUOTE_BYTES = 40,       /* of a malformed argument, in its message */
	FAIL_CODE = 1,
	EXIT_CODE = 3,
	SPIN_STEP_NS = 10000,
	SLEEP_STEP_NS = 10000000,
	NS_PER_US = 1000,
	NS_PER_MS = 1000000,
	PATTERN_BYTES = 4096,
	TREE_DEPTH_MAX = 32,
	TREE_FANOUT_MAX = 256,
};

#define NS_PER_S INT64_C(1000000000)

/* ---- arguments and results ---- */

static int probe_fail_argument(plm_call *call, size_t i, const char *expected)
{
	size_t length = 0;
	const char *text = plm_arg_data(call, i, &length);
	int shown = length > QUOTE_BYTES ? QUOTE_BYTES : (int)length;
	return plm_fail(call, EINVAL, "argument %zu is not %s: \"%.*s\"", i + 1, expected, shown,
	    text ? text : "");
}

static int probe_expect_arguments(plm_call *call, size_t least, size_t most, const char *usage)
{
	size_t n = plm_nargs(call);
	if (n >= least && n <= most)
		return 0;
	return plm_fail(call, EINVAL, "%zu arguments given; usage: probe.%s", n, usage);
}

/* The whole text must be one number; white space around the number is allowed. */
static bool probe_parse_number(const char *text, size_t length, int64_t *ret)
{
	char copy[NUMBER_TEXT_BYTES];
	if (!text || length >= sizeof copy)
		return false;
	memcpy(copy, text, length);
	copy[length] = 0;
	char *end;
	errno = 0;
	long long n = strtoll(copy, &end, 10);
	if (end == copy || errno != 0)
		return false;
	if (end[strspn(end, " \t\r\n")] != 0 || strlen(copy) != length)
		return false;
	*ret = n;
	return true;
}

/* Argument i as a number from 0 to most. 0, or the result of plm_fail(). */
static int probe_number_argument(plm_call *call, size_t i, int64_t most, int64_t *ret)
{
	size_t length = 0;
	const char *text = plm_arg_data(call, i, &length);
	int64_t n;
	if (!probe_parse_number(text, length, &n))
		return probe_fail_argument(call, i, "a number");
	if (n < 0 || n > most)
		return plm_fail(call, EINVAL, "argument %zu is %lld; it goes from 0 to %lld", i + 1,
		    (long long)n, (long long)most);
	*ret = n;
	return 0;
}

static int probe_result_bytes(plm_call *call, size_t length, void **ret)
{
	*ret = plm_result(call, length);
	if (*ret || length == 0)
		return 0;
	return plm_fail(call, ENOSPC, "%s", plm_why());
}

static int probe_return_number(plm_call *call, int64_t number)
{
	char text[NUMBER_TEXT_BYTES];
	int length = snprintf(text, sizeof text, "%lld", (long long)number);
	void *result;
	int r = probe_result_bytes(call, (size_t)length, &result);
	if (r == 0)
		memcpy(result, text, (size_t)length);
	return r;
}

/* ---- plain functions ---- */

static int probe_noop(plm_call *call)
{
	(void)call;
	return 0;
}

static int probe_echo(plm_call *call)
{
	size_t total = 0, length = 0, n = plm_nargs(call);
	for (size_t i = 0; i < n; i++) {
		plm_arg_data(call, i, &length);
		total += length;
	}
	void *result;
	int r = probe_result_bytes(call, total, &result);
	if (r != 0 || total == 0)
		return r;
	unsigned char *at = result;
	for (size_t i = 0; i < n; i++) {
		const void *data = plm_arg_data(call, i, &length);
		if (length > 0)
			memcpy(at, data, length);
		at += length;
	}
	return 0;
}

static int probe_fail(plm_call *call)
{
	int64_t code = FAIL_CODE;
	int r = probe_expect_arguments(call, 1, 3, "fail MESSAGE [CODE [DETAIL]]");
	if (r == 0 && plm_nargs(call) >= 2)
		r = probe_number_argument(call, 1, INT_MAX, &code);
	if (r != 0)
		return r;
	size_t length = 0;
	const void *detail = plm_arg_data(call, 2, &length);
	if (plm_fail_detail(call, detail, length) < 0)
		return plm_fail(call, EINVAL, "%s", plm_why());
	const char *message = plm_arg_data(call, 0, &length);
	int shown = length > INT_MAX ? INT_MAX : (int)length;
	return plm_fail(call, (int)code, "%.*s", shown, message ? message : "");
}

/* ---- time ---- */

static int64_t probe_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int probe_fail_cancelled(plm_call *call)
{
	return plm_fail(call, ECANCELED, "cancelled while it ran");
}

static int probe_spin(plm_call *call)
{
	int64_t micros;
	int r = probe_expect_arguments(call, 1, 1, "spin MICROSECONDS");
	if (r == 0)
		r = probe_number_argument(call, 0, INT64_MAX / NS_PER_S, &micros);
	if (r != 0)
		return r;
	int64_t now = probe_now_ns(), end = now + micros * NS_PER_US, look = now;
	for (; now < end; now = probe_now_ns()) {
		if (now < look)
			continue;
		if (plm_cancelled(call))
			return probe_fail_cancelled(call);
		look = now + SPIN_STEP_NS;
	}
	return 0;
}

static int probe_sleep(plm_call *call)
{
	int64_t millis;
	int r = probe_expect_arguments(call, 1, 1, "sleep MILLISECONDS");
	if (r == 0)
		r = probe_number_argument(call, 0, INT64_MAX / NS_PER_S, &millis);
	if (r != 0)
		return r;
	int64_t end = probe_now_ns() + millis * NS_PER_MS;
	for (int64_t left = end - probe_now_ns(); left > 0; left = end - probe_now_ns()) {
		if (plm_cancelled(call))
			return probe_fail_cancelled(call);
		struct timespec step = { .tv_nsec =
					     left < SLEEP_STEP_NS ? (long)left : SLEEP_STEP_NS };
		nanosleep(&step, NULL);
	}
	return 0;
}

/* ---- crash ---- */

/* 0 if the text names no signal. */
static int probe_signal_number(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);
	if (end != text && *end == 0)
		return number > 0 && number < NSIG ? (int)number : 0;
	const char *name = strncmp(text, "SIG", 3) == 0 ? text + 3 : text;
	for (int s = 1; s < NSIG; s++) {
		const char *known = sigabbrev_np(s);
		if (known && strcmp(known, name) == 0)
			return s;
	}
	return 0;
}

/* As if the code of the task had raised the signal: undo the worker's own handling first. */
static void probe_die_by(int number)
{
	sigset_t set;
	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	kill(getpid(), number);
}

static int probe_crash(plm_call *call)
{
	int r = probe_expect_arguments(call, 1, 1, "crash SIGNAL");
	if (r != 0)
		return r;
	size_t length = 0;
	const char *data = plm_arg_data(call, 0, &length);
	char text[NUMBER_TEXT_BYTES] = "";
	if (data && length < sizeof text)
		memcpy(text, data, length);
	if (strcmp(text, "exit") == 0)
		_exit(EXIT_CODE);
	int number = probe_signal_number(text);
	if (number == 0)
		return probe_fail_argument(call, 0, "a signal");
	probe_die_by(number);
	return plm_fail(call, EINVAL, "signal %d does not end a process", number);
}

/* ---- fill ---- */

static int probe_fill(plm_call *call)
{
	int64_t bytes;
	void *result;
	int r = probe_expect_arguments(call, 1, 1, "fill BYTES");
	if (r == 0)
		r = probe_number_argument(call, 0, INT64_MAX, &bytes);
	if (r == 0)
		r = probe_result_bytes(call, (size_t)bytes, &result);
	if (r != 0 || bytes == 0)
		return r;
	/* Copying from the first page, which stays in the cache, costs as little as memset()
	 * would. */
	unsigned char *at = result;
	size_t length = (size_t)bytes, head = length < PATTERN_BYTES ? length : PATTERN_BYTES;
	for (size_t i = 0; i < head; i++)
		at[i] = (unsigned char)i;
	for (size_t done = head; done < length; done += PATTERN_BYTES)
		memcpy(
		    at + done, at, length - done < PATTERN_BYTES ? length - done : PATTERN_BYTES);
	return 0;
}

/* ---- numbers and words ---- */

static int probe_sum(plm_call *call)
{
	int64_t sum = 0;
	size_t n = plm_nargs(call);
	for (size_t i = 0; i < n; i++) {
		size_t length = 0;
		const char *text = plm_arg_data(call, i, &length);
		int64_t number;
		if (!probe_parse_number(text, length, &number))
			return probe_fail_argument(call, i, "a number");
		if (__builtin_add_overflow(sum, number, &sum))
			return plm_fail(
			    call, ERANGE, "the sum leaves 64 bits at argument %zu", i + 1);
	}
	return probe_return_number(call, sum);
}

/* Not isspace(): avoids a call for each byte, and splits alike in every locale. */
static bool probe_is_space(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int64_t probe_count_words(const unsigned char *text, size_t length)
{
	int64_t words = 0;
	bool inside = false;
	for (size_t i = 0; i < length; i++) {
		bool letter = !probe_is_space(text[i]);
		words += letter && !inside;
		inside = letter;
	}
	return words;
}

static int probe_wordcount(plm_call *call)
{
	int r = probe_expect_arguments(call, 1, SIZE_MAX, "wordcount TEXT...");
	if (r != 0)
		return r;
	int64_t words = 0;
	size_t n = plm_nargs(call);
	for (size_t i = 0; i < n; i++) {
		size_t length = 0;
		const void *text = plm_arg_data(call, i, &length);
		words += probe_count_words(text, length);
	}
	return probe_return_number(call, words);
}

/* ---- tree: tasks that submit tasks ---- */

/* All children are the same task. 0, or the result of plm_fail(); nothing is held then. */
static int probe_submit_children(plm_call *call, int64_t depth, int64_t fanout, plm_ref *ret)
{
	char depth_text[NUMBER_TEXT_BYTES], fanout_text[NUMBER_TEXT_BYTES];
	int depth_length = snprintf(depth_text, sizeof depth_text, "%lld", (long long)depth);
	int fanout_length = snprintf(fanout_text, sizeof fanout_text, "%lld", (long long)fanout);
	plm_arg args[] = { PLM_BYTES(depth_text, (size_t)depth_length),
		PLM_BYTES(fanout_text, (size_t)fanout_length) };
	plm_task tasks[TREE_FANOUT_MAX];
	for (int64_t i = 0; i < fanout; i++) {
		tasks[i] = (plm_task){ .function = "probe.tree", .args = args, .nargs = 2 };
		ret[i] = PLM_NONE;
	}
	int r = plm_submit_many(plm_runtime(call), tasks, (size_t)fanout, ret);
	if (r >= 0)
		return 0;
	plm_drop_many(plm_runtime(call), ret, (size_t)fanout);
	return plm_fail(call, -r, "submitting %lld children: %s", (long long)fanout, plm_why());
}

static int probe_add_child(plm_call *call, plm_ref child, int64_t *sum)
{
	plm *rt = plm_runtime(call);
	plm_failure failure;
	plm_view view;
	int64_t number;
	int r = plm_get(rt, child, &view, -1);
	if (r == -PLM_EFAILED && plm_error(rt, child, &failure) == 0)
		return plm_fail(call, failure.code, "a child failed: %s", failure.message);
	if (r < 0)
		return plm_fail(call, -r, "a child yields nothing: %s", plm_strerror(r));
	bool sound = probe_parse_number(view.data, view.len, &number);
	plm_release(rt, &view);
	if (!sound || __builtin_add_overflow(*sum, number, sum))
		return plm_fail(call, ERANGE, "a child's value is no number to add");
	return 0;
}

static int probe_tree(plm_call *call)
{
	int64_t depth, fanout, leaves = 0;
	int r = probe_expect_arguments(call, 2, 2, "tree DEPTH FANOUT");
	if (r == 0)
		r = probe_number_argument(call, 0, TREE_DEPTH_MAX, &depth);
	if (r == 0)
		r = probe_number_argument(call, 1, TREE_FANOUT_MAX, &fanout);
	if (r != 0)
		return r;
	if (depth == 0)
		return probe_return_number(call, 1);
	plm_ref children[TREE_FANOUT_MAX];
	r = probe_submit_children(call, depth - 1, fanout, children);
	if (r != 0)
		return r;
	int waited =
	    plm_wait(plm_runtime(call), children, (size_t)fanout, (size_t)fanout, -1, NULL);
	if (waited < 0)
		r = plm_fail(
		    call, -waited, "waiting for %lld children: %s", (long long)fanout, plm_why());
	for (int64_t i = 0; i < fanout && r == 0; i++)
		r = probe_add_child(call, children[i], &leaves);
	plm_drop_many(plm_runtime(call), children, (size_t)fanout);
	return r != 0 ? r : probe_return_number(call, leaves);
}

/* ---- the table ---- */

static const plm_export exports[] = {
	{ "noop", probe_noop, "nothing" },
	{ "echo", probe_echo, "BYTES...: its arguments, one behind the other" },
	{ "spin", probe_spin, "MICROSECONDS: burns a core so long" },
	{ "sleep", probe_sleep, "MILLISECONDS: sleeps so long" },
	{ "fail", probe_fail, "MESSAGE [CODE [DETAIL]]: fails" },
	{ "crash", probe_crash, "SIGNAL: ends its worker by a signal, or by \"exit\"" },
	{ "fill", probe_fill, "BYTES: an object of that size, byte i is i modulo 256" },
	{ "sum", probe_sum, "NUMBER...: their sum" },
	{ "tree", probe_tree, "DEPTH FANOUT: a tree of tasks; the number of its leaves" },
	{ "wordcount", probe_wordcount, "TEXT...: how many words" },
};

const plm_module probe_module = {
	.abi = PLM_MODULE_ABI,
	.view_size = sizeof(plm_view),
	.task_size = sizeof(plm_task),
	.count = sizeof exports / sizeof exports[0],
	.name = "probe",
	.exports = exports,
};
