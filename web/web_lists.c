/* web_lists.c - GET /api/workers, processes, objects, functions, modules, policies: lists of
 * plm_inspect.h, by pages: the answer names the cursor of the next page. */
#include "base/clock.h"
#include "web/web_routes.h"
#include "web/web_rows.h"

enum { PAGE_ROWS = 64, LIMIT_STANDARD = 200, LIMIT_MOST = 2000, SCAN_MS = 40 };

union lists_row {
	plm_process_row process;
	plm_object_row object;
	plm_function_row function;
	plm_module_row module;
	plm_policy_row policy;
};

/* A kind of list: reads a page of at most n rows; writes a row. */
struct lists_kind {
	const char *key;
	int (*read)(plm_inspect *in, uint64_t *cursor, union lists_row *rows, size_t n);
	void (*put)(const union lists_row *row, struct json *json);
};

/* ---- processes ---- */

static int lists_read_workers(plm_inspect *in, uint64_t *cursor, union lists_row *rows, size_t n)
{
	return plm_inspect_processes(
	    in, 1U << PLM_KIND_WORKER, cursor, &rows->process, sizeof rows[0], n);
}

static int lists_read_processes(plm_inspect *in, uint64_t *cursor, union lists_row *rows, size_t n)
{
	return plm_inspect_processes(in, 0, cursor, &rows->process, sizeof rows[0], n);
}

static void lists_put_process(const union lists_row *row, struct json *json)
{
	const plm_process_row *process = &row->process;
	row_put_number("process", process->process, json);
	jsontext_text(json, "kind", plm_kind_name(process->kind));
	jsontext_text(json, "name", process->name);
	row_put_marks(process->marks, json);
	jsontext_text(json, "condition", process->condition);
	jsontext_bool(json, "doubtful", process->doubtful);
	jsontext_signed(json, "pid", process->pid);
	row_put_number("worker", process->worker, json);
	jsontext_number(json, "cpus", process->cpus);
	jsontext_number(json, "cpus_used", process->cpus_used);
	jsontext_signed(json, "node", process->node);
	jsontext_number(json, "queue", process->queue);
	jsontext_number(json, "age_ms", process->age_ms);
	jsontext_number(json, "beat_ms", process->beat_ms);
	jsontext_ref(json, "running", process->running);
	jsontext_text_if_any(json, "function", process->function);
	jsontext_number(json, "run_ms", process->run_ms);
	jsontext_number(json, "done", process->done);
	jsontext_number(json, "failed", process->failed);
	jsontext_text_if_any(json, "python", process->python);
}

/* ---- values, functions, modules, policies ---- */

static int lists_read_objects(plm_inspect *in, uint64_t *cursor, union lists_row *rows, size_t n)
{
	return plm_inspect_objects(in, cursor, &rows->object, sizeof rows[0], n);
}

static void lists_put_object(const union lists_row *row, struct json *json)
{
	jsontext_ref(json, "ref", row->object.ref);
	jsontext_text_if_any(json, "origin", row->object.origin);
	jsontext_bool(json, "sealed", row->object.sealed);
	jsontext_bool(json, "stored", row->object.stored);
	jsontext_number(json, "bytes", row->object.bytes);
	jsontext_number(json, "holders", row->object.holders);
	jsontext_number(json, "uses", row->object.uses);
	jsontext_number(json, "age_ms", row->object.age_ms);
}

static int lists_read_functions(plm_inspect *in, uint64_t *cursor, union lists_row *rows, size_t n)
{
	return plm_inspect_functions(in, cursor, &rows->function, sizeof rows[0], n);
}

static void lists_put_function(const union lists_row *row, struct json *json)
{
	jsontext_number(json, "number", row->function.number);
	jsontext_text(json, "function", row->function.function);
	jsontext_text(json, "path", row->function.path);
}

static int lists_read_modules(plm_inspect *in, uint64_t *cursor, union lists_row *rows, size_t n)
{
	return plm_inspect_modules(in, cursor, &rows->module, sizeof rows[0], n);
}

static void lists_put_module(const union lists_row *row, struct json *json)
{
	jsontext_text(json, "module", row->module.module);
	jsontext_number(json, "functions", row->module.functions);
	jsontext_text(json, "path", row->module.path);
}

static int lists_read_policies(plm_inspect *in, uint64_t *cursor, union lists_row *rows, size_t n)
{
	return plm_inspect_policies(in, cursor, &rows->policy, sizeof rows[0], n);
}

static void lists_put_policy(const union lists_row *row, struct json *json)
{
	jsontext_text(json, "policy", row->policy.policy);
	jsontext_bool(json, "in_force", row->policy.in_force);
	jsontext_text(json, "help", row->policy.help);
}

/* ---- a page ---- */

static bool lists_put_rows(const struct lists_kind *kind, plm_inspect *in, uint64_t *cursor,
    uint64_t limit, struct json *json)
{
	static union lists_row rows[PAGE_ROWS];
	uint64_t deadline = clock_ns() + SCAN_MS * NS_PER_MS;
	for (uint64_t put = 0; put < limit && clock_ns() < deadline;) {
		uint64_t want = limit - put < PAGE_ROWS ? limit - put : PAGE_ROWS;
		int n = kind->read(in, cursor, rows, want);
		if (n <= 0)
			return true;
		put += (uint64_t)n;
		for (int i = 0; i < n; i++) {
			jsontext_open(json, NULL, '{');
			kind->put(&rows[i], json);
			jsontext_close(json, '}');
		}
	}
	return false;
}

static struct MHD_Response *lists_answer(struct request *request, const struct lists_kind *kind)
{
	struct MHD_Response *response = NULL;
	struct json json = { .data = NULL };
	uint64_t cursor, limit;
	if (!request_number(request, "cursor", 0, UINT64_MAX, &cursor) ||
	    !request_number(request, "limit", LIMIT_STANDARD, LIMIT_MOST, &limit) || limit == 0)
		return reply_error(request, MHD_HTTP_BAD_REQUEST, "%s?limit=1..%d&cursor=N",
		    kind->key, LIMIT_MOST);
	if (!request_look(request, &response))
		return response;
	jsontext_open(&json, NULL, '{');
	jsontext_open(&json, kind->key, '[');
	bool end = lists_put_rows(kind, request->web->look.in, &cursor, limit, &json);
	jsontext_close(&json, ']');
	jsontext_number(&json, "cursor", cursor);
	jsontext_bool(&json, "end", end);
	jsontext_close(&json, '}');
	return reply_json(request, &json);
}

#define LIST(name, put)                                                                  \
	struct MHD_Response *name##_route(struct request *request)                       \
	{                                                                                \
		static const struct lists_kind kind = { #name, lists_read_##name, put }; \
		return lists_answer(request, &kind);                                     \
	}

LIST(workers, lists_put_process)
LIST(processes, lists_put_process)
LIST(objects, lists_put_object)
LIST(functions, lists_put_function)
LIST(modules, lists_put_module)
LIST(policies, lists_put_policy)
