#include "tests/support/eventlog_case.h"

#include <check.h>

#include "base/why.h"
#include "events/eventlog_segment.h"
#include "tests/support/suite_watcher.h"
#include "tests/support/tables_case.h"

enum { ROWS_MOST = 64 };

plm_inspect eventlog_in;
plm_events *eventlog_reader;

static const struct limits limits = {
	.processes = 64, .workers = 2, .records = 64, .nodes = 1, .store_bytes = 1 << 20
};

void eventlog_case_create(void)
{
	char name[RUNTIME_NAME_BYTES];
	tables_case_create(&limits);
	test_runtime_name(name, sizeof name);
	tables.control->event_ring = EVENT_RING_MIN;
	ck_assert_msg(eventlog_segment_create(&tables, name) == 0, "%s", why_text());
	tables_unlink(name);
	sh_store(&tables.control->events, 1);
	tables_share(&tables, &eventlog_in.tables);
}

void eventlog_case_detach(void)
{
	plm_events_close(&eventlog_reader);
	tables_case_detach();
}

void eventlog_case_writer(struct tables *ret, uint32_t process)
{
	tables_share(&tables, ret);
	ret->self = process;
}

void eventlog_case_open(uint64_t since_ns)
{
	plm_events_close(&eventlog_reader);
	ck_assert_msg(
	    plm_events_open(&eventlog_reader, &eventlog_in, since_ns) == 0, "%s", why_text());
}

void eventlog_case_put(struct tables *writer, uint64_t time_ns, uint64_t argument)
{
	eventlog_put(writer,
	    (struct logged_event){ .kind = EVENT_STARTED,
		.attempt = 1,
		.worker = 3,
		.function = EVENT_NOBODY,
		.time_ns = time_ns,
		.subject = record_ref(1, 1),
		.argument = argument });
}

void eventlog_case_expect(plm_event *rows, int n)
{
	plm_event more;
	ck_assert_int_le(n, ROWS_MOST);
	ck_assert_int_eq(plm_events_read(eventlog_reader, rows, sizeof rows[0], (size_t)n), n);
	ck_assert_int_eq(plm_events_read(eventlog_reader, &more, sizeof more, 1), 0);
}
