#include "cli/command_view.h"

#include <errno.h>
#include <unistd.h>

bool command_known(struct context *context, plm_ref ref)
{
	plm_command_row row;
	return look_open(context) == EXIT_FINE &&
	    plm_inspect_command(context->in, ref, &row, sizeof row) == 0;
}

int command_look(struct context *context, plm_ref ref, struct command_view *ret)
{
	char text[PLM_REF_TEXT_BYTES];
	plm_command_row row;
	static plm_task_row task;
	int code = look_open(context);
	if (code != EXIT_FINE)
		return code;
	int r = plm_inspect_command(context->in, ref, &row, sizeof row);
	if (r == -ENOTSUP) {
		fprintf(stderr, "plmctl: %s\n", plm_why());
		return EXIT_DATA;
	}
	plm_ref_print(ref, text);
	if (r == 0)
		r = plm_inspect_task(context->in, ref, 0, &task, sizeof task);
	if (r < 0)
		return failed(r, text);
	*ret = (struct command_view){ .in = context->in,
		.ref = row.ref,
		.state = row.state,
		.attempt = row.attempt,
		.pid = row.worker_pid,
		.worker = row.worker,
		.age_ms = task.age_ms,
		.queue_ms = row.queue_ms,
		.run_ms = row.run_ms,
		.logged = row.logged,
		.log = row };
	return EXIT_FINE;
}

const char *command_kept(const struct command_view *v, int stream, uint64_t *ret_length)
{
	const void *data = NULL;
	size_t bytes = 0;
	plm_inspect_output(v->in, v->ref, stream, &data, &bytes);
	*ret_length = bytes;
	return data;
}

int command_stream_open(const struct command_view *v, int stream)
{
	int fd = plm_inspect_output_open(v->in, v->ref, stream);
	return fd < 0 ? -1 : fd;
}

bool command_cut(const struct command_view *v, char ret[CUT_TEXT_BYTES])
{
	const plm_command_row *log = &v->log;
	if (!v->logged || (log->out_dropped == 0 && log->err_dropped == 0))
		return false;
	snprintf(ret, CUT_TEXT_BYTES,
	    "%llu bytes of stdout and %llu of stderr were cut off: more "
	    "than is kept (--output-cap), or than there was room for",
	    (unsigned long long)log->out_dropped, (unsigned long long)log->err_dropped);
	return true;
}

int command_say_cut(const struct command_view *v, int stream)
{
	bool out = stream == STDOUT_FILENO;
	uint64_t dropped = out ? v->log.out_dropped : v->log.err_dropped;
	uint64_t all = out ? v->log.out_bytes : v->log.err_bytes;
	if (!v->logged || dropped == 0)
		return EXIT_FINE;
	fprintf(stderr,
	    "plmctl: of the %llu bytes that it wrote to %s the last %llu were cut off: "
	    "more than is kept (--output-cap), or than there was room for\n",
	    (unsigned long long)all, out ? "stdout" : "stderr", (unsigned long long)dropped);
	return EXIT_CUT;
}

const char *command_where(const struct command_view *v, char ret[WHERE_TEXT_BYTES])
{
	int out = v->log.out_where, err = v->log.err_where;
	if (v->log.outlet_pid) {
		snprintf(ret, WHERE_TEXT_BYTES,
		    v->log.outlet_live ? "process %d, as it is written"
				       : "the runtime, and at length files of process %d",
		    (int)v->log.outlet_pid);
		return ret;
	}
	bool live = v->logged && out == PLM_OUTLET_LIVE;
	bool file = out == PLM_OUTLET_FILE || err == PLM_OUTLET_FILE;
	return live ? "its submitter, as it was written"
	    : file  ? "a file of its submitter"
		    : "the runtime";
}
