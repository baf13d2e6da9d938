#include "cli/result.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/why.h"
#include "client/plm_inspect.h"

uint64_t deadline_of(const struct context *context)
{
	return deadline_after_ms(context->timeout_ms);
}

int milliseconds_left(uint64_t deadline_ns)
{
	if (deadline_ns == DEADLINE_NEVER)
		return -1;
	uint64_t now = clock_ns();
	uint64_t left = deadline_ns > now ? (deadline_ns - now + NS_PER_MS - 1) / NS_PER_MS : 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

int hold_reference(struct context *context, plm_ref ref)
{
	char text[PLM_REF_TEXT_BYTES];
	int r = plm_hold(context->rt, ref);
	plm_ref_print(ref, text);
	return r < 0 ? failed(r, text) : EXIT_FINE;
}

int refuse_inside(struct context *context, const char *remedy)
{
	if (plm_inside(context->rt) <= 0)
		return 0;
	return why(
	    -EDEADLK, "it would wait for the end of the task that runs this command: %s", remedy);
}

struct result { /* a row */
	plm_ref ref;
	const plm_view *view;
};

void print_reference(struct context *context, plm_ref ref)
{
	static const struct column columns[] = { { "REF", "ref", -1, PLAIN(struct result, ref) } };
	char text[PLM_REF_TEXT_BYTES];
	if (context->json) {
		table_begin(&context->out, columns, COUNT_OF(columns));
		table_row(&context->out, &(struct result){ .ref = ref });
		return;
	}
	plm_ref_print(ref, text);
	fprintf(context->out.file, "%s\n", text);
}

int write_value(const plm_view *view, int fd, const char *name)
{
	const char *data = view->data;
	for (size_t done = 0; done < view->len;) {
		ssize_t n = write(fd, data + done, view->len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			fprintf(stderr, "plmctl: writing %s: %s\n", name, strerror(errno));
			return EXIT_OURS;
		}
		done += (size_t)n;
	}
	return EXIT_FINE;
}

static void result_value(struct output *out, const void *row)
{
	const plm_view *view = ((const struct result *)row)->view;
	cell_bytes(out, view->data, view->len);
}

int print_value(struct context *context, plm_ref ref, const plm_view *view)
{
	static const struct column columns[] = {
		{ "REF", "ref", -1, PLAIN(struct result, ref) },
		{ "VALUE", "value", -1, .cell = result_value },
	};
	struct output *out = &context->out;
	if (context->json) {
		table_begin(out, columns, COUNT_OF(columns));
		table_row(out, &(struct result){ ref, view });
		return EXIT_FINE;
	}
	fflush(out->file); /* write_value() goes past stdio: a value may be gigabytes */
	int code = write_value(view, fileno(out->file), "the value");
	bool newline = view->len > 0 && ((const char *)view->data)[view->len - 1] == '\n';
	if (code == EXIT_FINE && !newline && isatty(fileno(out->file)))
		putc('\n', out->file);
	return code;
}

struct log_piece { /* a row */
	plm_ref ref;
	const char *stream;
	uint32_t attempt;
	plm_view text;
};

static void result_log_text(struct output *out, const void *row)
{
	const struct log_piece *piece = row;
	cell_bytes(out, piece->text.data, piece->text.len);
}

static const struct column log_columns[] = {
	{ "REF", "ref", -1, PLAIN(struct log_piece, ref) },
	{ "STREAM", "stream", -1, PLAIN(struct log_piece, stream) },
	{ "ATTEMPT", "attempt", 0, PLAIN(struct log_piece, attempt) },
	{ "TEXT", "text", -1, .cell = result_log_text },
};

int print_log(
    struct context *context, plm_ref ref, int stream, uint32_t attempt, const plm_view *text)
{
	struct output *out = &context->out;
	const struct log_piece piece = { ref, stream == STDOUT_FILENO ? "stdout" : "stderr",
		attempt, *text };
	if (!context->json)
		return write_value(text, fileno(out->file), "the log");
	table_begin(out, log_columns, COUNT_OF(log_columns));
	table_row(out, &piece);
	fflush(out->file);
	return EXIT_FINE;
}

struct failed_result { /* a row */
	plm_ref ref;
	const char *state;
	plm_failure failure;
};

static const struct column failure_columns[] = {
	{ "REF", "ref", -1, PLAIN(struct failed_result, ref) },
	{ "STATE", "state", -1, PLAIN(struct failed_result, state) },
	{ "CODE", "code", 0, PLAIN(struct failed_result, failure.code) },
	{ "SIGNAL", "signal", 0, PLAIN(struct failed_result, failure.signal) },
	{ "TASK", "task", -1, PLAIN(struct failed_result, failure.task) },
	{ "FUNCTION", "function", -1, PLAIN(struct failed_result, failure.function) },
	{ "MESSAGE", "message", -1, PLAIN(struct failed_result, failure.message) },
};

/* Of a command the message says all: nobody has called a function, or knows its codes. */
static bool result_is_command(const plm_failure *failure)
{
	return strcmp(failure->function, PLM_COMMAND_FUNCTION) == 0;
}

static void result_say_failure(const char *ref, bool is_root, const plm_failure *failure)
{
	char root[PLM_REF_TEXT_BYTES];
	bool command = result_is_command(failure);
	const char *in = command ? "" : " in ", *function = command ? "" : failure->function;
	plm_ref_print(failure->task, root);
	if (is_root)
		fprintf(stderr, "plmctl: task %s failed%s%s: ", ref, in, function);
	else
		fprintf(stderr, "plmctl: task %s failed because task %s failed%s%s: ", ref, root,
		    in, function);
	fprintf(stderr, "%s", failure->message);
	if (failure->signal != 0)
		fprintf(stderr, " (signal %d)\n", failure->signal);
	else if (command)
		putc('\n', stderr);
	else
		fprintf(stderr, " (code %d)\n", failure->code);
}

int print_failure(struct context *context, plm_ref ref, int error)
{
	char text[PLM_REF_TEXT_BYTES];
	bool cancelled = error == -PLM_ECANCELLED;
	struct failed_result row = { .ref = ref, .state = cancelled ? "cancelled" : "failed" };
	plm_failure *failure = &row.failure;
	plm_ref_print(ref, text);
	if (error != -PLM_EFAILED && !cancelled)
		return failed(error, text);
	int r = plm_error(context->rt, ref, failure);
	if (r < 0)
		return failed(r, text);
	if (context->json) {
		table_begin(&context->out, failure_columns, COUNT_OF(failure_columns));
		table_row(&context->out, &row);
	}
	if (cancelled) {
		if (result_is_command(failure))
			fprintf(stderr, "plmctl: task %s was cancelled\n", text);
		else
			fprintf(stderr, "plmctl: task %s (%s) was cancelled\n", text,
			    failure->function);
		return EXIT_CANCELLED;
	}
	result_say_failure(text, failure->task.id == ref.id, failure);
	bool killed = failure->signal > 0 && failure->signal < EXIT_SIGNAL;
	return killed ? EXIT_SIGNAL + failure->signal : EXIT_TASK_FAILED;
}

int print_result(struct context *context, plm_ref ref, uint64_t deadline_ns)
{
	plm_view view;
	int r = plm_get(context->rt, ref, &view, milliseconds_left(deadline_ns));
	if (r < 0)
		return print_failure(context, ref, r);
	int code = print_value(context, ref, &view);
	plm_release(context->rt, &view);
	return code;
}
