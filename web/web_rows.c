#include "web/web_rows.h"

#include <string.h>

#include "base/check.h"

void row_put_marks(uint32_t marks, struct json *json)
{
	static const struct {
		uint32_t mark;
		const char *name;
	} names[] = {
		{ PLM_MARK_DAMAGED, "damaged" },
		{ PLM_MARK_STOPPING, "stopping" },
		{ PLM_MARK_DEAD, "dead" },
		{ PLM_MARK_KEPT, "kept" },
		{ PLM_MARK_COMMAND, "command" },
		{ PLM_MARK_BLOCKED, "blocked" },
		{ PLM_MARK_SPARE, "spare" },
		{ PLM_MARK_DRAINED, "drained" },
	};
	jsontext_open(json, "marks", '[');
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (marks & names[i].mark)
			jsontext_text(json, NULL, names[i].name);
	jsontext_close(json, ']');
}

void row_put_number(const char *key, uint32_t number, struct json *json)
{
	if (number != PLM_NOBODY)
		jsontext_number(json, key, number);
}

void row_put_task(const plm_task_row *row, struct json *json)
{
	jsontext_ref(json, "ref", row->ref);
	jsontext_text(json, "state", plm_state_name(row->state));
	row_put_marks(row->marks, json);
	jsontext_text(json, "function", row->function);
	if (strcmp(row->command, row->function) != 0)
		jsontext_text_if_any(json, "command", row->command);
	jsontext_text_if_any(json, "label", row->label);
	jsontext_signed(json, "priority", row->priority);
	jsontext_number(json, "attempt", row->attempt);
	row_put_number("worker", row->worker, json);
	jsontext_number(json, "args", row->args);
	jsontext_number(json, "results", row->results);
	jsontext_number(json, "holders", row->holders);
	jsontext_number(json, "pending", row->pending);
	jsontext_number(json, "uses", row->uses);
	jsontext_number(json, "failures", row->failures);
	jsontext_number(json, "returned", row->returned);
	if (row->marks & PLM_MARK_EXIT)
		jsontext_signed(json, "exit", row->exit);
	jsontext_number(json, "age_ms", row->age_ms);
	jsontext_number(json, "queue_ms", row->queue_ms);
	jsontext_number(json, "run_ms", row->run_ms);
	jsontext_number(json, "value_bytes", row->value_bytes);
	if (row->marks & PLM_MARK_OUTPUT)
		jsontext_number(json, "output_bytes", row->output_bytes);
}
