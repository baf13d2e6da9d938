/* web_task.c - GET /api/task: a task in full: why it waits or how it ended, the record of a
 * command. GET /api/output: what a command has written so far. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "web/web_routes.h"
#include "web/web_rows.h"

enum { REASONS_MAX = 8, REFS_MAX = 8, OUTPUTS_MAX = 256, PIECE_BYTES = 64 << 10 };

static void task_put_reasons(plm_inspect *in, plm_ref ref, struct json *json)
{
	static plm_reason rows[REASONS_MAX];
	plm_explanation explanation;
	int n = plm_inspect_explain(
	    in, ref, &explanation, sizeof explanation, rows, sizeof rows[0], REASONS_MAX);
	jsontext_open(json, "reasons", '[');
	for (int i = 0; i < n && i < REASONS_MAX; i++) {
		jsontext_open(json, NULL, '{');
		jsontext_text(json, "code", rows[i].code);
		jsontext_text(json, "text", rows[i].text);
		jsontext_open(json, "refs", '[');
		for (uint32_t k = 0; k < rows[i].refs && k < REFS_MAX; k++)
			jsontext_ref(json, NULL, rows[i].ref[k]);
		jsontext_close(json, ']');
		jsontext_close(json, '}');
	}
	jsontext_close(json, ']');
}

static void task_put_status(int status, struct json *json)
{
	if (status >= 0 && WIFEXITED(status))
		jsontext_number(json, "exit_code", (uint64_t)WEXITSTATUS(status));
	else if (status >= 0 && WIFSIGNALED(status))
		jsontext_number(json, "signal", (uint64_t)WTERMSIG(status));
}

static const char *task_outlet(int where)
{
	return where == PLM_OUTLET_KEPT ? "kept" : where == PLM_OUTLET_FILE ? "file" : "live";
}

static void task_put_log(const plm_command_row *row, struct json *json)
{
	task_put_status(row->status, json);
	jsontext_number(json, "wall_us", row->wall_us);
	jsontext_number(json, "user_us", row->user_us);
	jsontext_number(json, "system_us", row->system_us);
	jsontext_number(json, "resident_bytes", row->resident_bytes);
	jsontext_number(json, "memory_bytes", row->memory_bytes);
	jsontext_text(json, "stdout_to", task_outlet(row->out_where));
	jsontext_text(json, "stderr_to", task_outlet(row->err_where));
	jsontext_number(json, "stdout_bytes", row->out_bytes);
	jsontext_number(json, "stderr_bytes", row->err_bytes);
	jsontext_number(json, "stdout_dropped", row->out_dropped);
	jsontext_number(json, "stderr_dropped", row->err_dropped);
	jsontext_number(json, "left_behind", row->left);
	jsontext_bool(json, "asked_to_stop", row->asked_to_stop);
	jsontext_bool(json, "killed", row->killed);
}

static void task_put_outputs(plm_inspect *in, plm_ref ref, struct json *json)
{
	static plm_ref refs[OUTPUTS_MAX];
	int n = plm_inspect_outputs(in, ref, refs, OUTPUTS_MAX);
	jsontext_open(json, "outputs", '[');
	for (int i = 0; i < n && i < OUTPUTS_MAX; i++)
		jsontext_ref(json, NULL, refs[i]);
	jsontext_close(json, ']');
}

static void task_put_command(plm_inspect *in, plm_ref ref, struct json *json)
{
	static plm_command_row row;
	if (plm_inspect_command(in, ref, &row, sizeof row) < 0)
		return;
	jsontext_open(json, "run", '{');
	if (row.worker_pid)
		jsontext_signed(json, "worker_pid", row.worker_pid);
	jsontext_bool(json, "live", row.outlet_live != 0);
	jsontext_bool(json, "logged", row.logged != 0);
	if (row.logged)
		task_put_log(&row, json);
	task_put_outputs(in, ref, json);
	jsontext_close(json, '}');
}

struct MHD_Response *task_route(struct request *request)
{
	static plm_task_row row;
	struct MHD_Response *response = NULL;
	struct json json = { .data = NULL };
	plm_ref ref;
	if (!request_ref(request, "ref", &ref))
		return reply_error(
		    request, MHD_HTTP_BAD_REQUEST, "task?ref=@RECORD.GENERATION.BOOT");
	if (!request_look(request, &response))
		return response;
	plm_inspect *in = request->web->look.in;
	int r = plm_inspect_task(in, ref, PLM_LOOK_TEXTS, &row, sizeof row);
	if (r < 0)
		return reply_failure(request, r);
	jsontext_open(&json, NULL, '{');
	row_put_task(&row, &json);
	task_put_reasons(in, ref, &json);
	if (row.marks & PLM_MARK_COMMAND)
		task_put_command(in, ref, &json);
	jsontext_close(&json, '}');
	return reply_json(request, &json);
}

/* ---- output ---- */

struct task_output {
	plm_ref ref;
	int stream;
	uint64_t offset;
	bool settled;
	uint32_t attempt;
	char *piece; /* PIECE_BYTES */
	size_t length;
	uint64_t total;
};

static int task_read_settled(plm_inspect *in, struct task_output *output)
{
	const void *bytes;
	size_t length;
	int r = plm_inspect_output(in, output->ref, output->stream, &bytes, &length);
	if (r < 0)
		return r;
	output->total = length;
	if (!bytes || output->offset >= length)
		return 0;
	size_t n = length - output->offset;
	output->length = n < PIECE_BYTES ? n : PIECE_BYTES;
	memcpy(output->piece, (const char *)bytes + output->offset, output->length);
	return 0;
}

static int task_read_running(plm_inspect *in, struct task_output *output)
{
	int fd = plm_inspect_output_open(in, output->ref, output->stream);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd; /* nothing is written yet */
	ssize_t n = pread(fd, output->piece, PIECE_BYTES, (off_t)output->offset);
	int error = errno;
	close(fd);
	if (n < 0)
		return error == ESPIPE ? 0 : -error;
	output->length = (size_t)n;
	output->total = output->offset + output->length;
	return 0;
}

/* The store may give the room of a command that nobody holds to another value while we copy. Then
 * the command is gone afterwards, and the copy is thrown away. */
static int task_read_output(plm_inspect *in, struct task_output *output)
{
	static plm_command_row row;
	int r = plm_inspect_command(in, output->ref, &row, sizeof row);
	if (r < 0)
		return r;
	output->settled = row.state == PLM_STATE_DONE || row.state == PLM_STATE_FAILED ||
	    row.state == PLM_STATE_CANCELLED;
	output->attempt = row.attempt;
	r = output->settled ? task_read_settled(in, output) : task_read_running(in, output);
	if (r < 0)
		return r;
	return plm_inspect_command(in, output->ref, &row, sizeof row);
}

/* Bytes of a character that the next piece completes stay for the next piece. */
static size_t task_whole_characters(const struct task_output *output)
{
	const unsigned char *bytes = (const unsigned char *)output->piece;
	size_t n = output->length;
	for (size_t back = 1; back <= 3 && back <= n; back++) {
		unsigned char c = bytes[n - back];
		if ((c & 0xc0) == 0x80)
			continue;
		size_t needs = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
		return needs > back && back < n ? n - back : n;
	}
	return n;
}

static struct MHD_Response *task_answer_output(
    struct request *request, const struct task_output *output)
{
	struct json json = { .data = NULL };
	size_t length = task_whole_characters(output);
	jsontext_open(&json, NULL, '{');
	jsontext_bytes(&json, "text", output->piece, length);
	jsontext_number(&json, "offset", output->offset);
	jsontext_number(&json, "next", output->offset + length);
	jsontext_number(&json, "total", output->total);
	jsontext_number(&json, "attempt", output->attempt);
	jsontext_bool(&json, "settled", output->settled);
	jsontext_close(&json, '}');
	return reply_json(request, &json);
}

struct MHD_Response *output_route(struct request *request)
{
	static char piece[PIECE_BYTES];
	struct task_output output = { .piece = piece };
	struct MHD_Response *response = NULL;
	uint64_t stream;
	if (!request_ref(request, "ref", &output.ref) ||
	    !request_number(request, "stream", STDOUT_FILENO, STDERR_FILENO, &stream) ||
	    !request_number(request, "offset", 0, INT64_MAX, &output.offset) || stream == 0)
		return reply_error(request, MHD_HTTP_BAD_REQUEST,
		    "output?ref=@RECORD.GENERATION.BOOT&stream=1|2&offset=N");
	if (!request_look(request, &response))
		return response;
	output.stream = (int)stream;
	int r = task_read_output(request->web->look.in, &output);
	return r < 0 ? reply_failure(request, r) : task_answer_output(request, &output);
}
