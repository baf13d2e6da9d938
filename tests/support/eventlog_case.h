/* eventlog_case.h - an event log without a runtime: the tables of tables_case.h with rings, and a
 * reader. */
#ifndef PLM_TEST_EVENTLOG_CASE_H
#define PLM_TEST_EVENTLOG_CASE_H

#include "client/inspect.h"
#include "events/eventlog.h"

extern plm_inspect eventlog_in;
extern plm_events *eventlog_reader;

void eventlog_case_create(void); /* rings of EVENT_RING_MIN events, switched on */
void eventlog_case_detach(void);
/* Another handle to the tables, which writes as this process slot. */
void eventlog_case_writer(struct tables *ret, uint32_t process);
void eventlog_case_open(uint64_t since_ns);
/* Writes an event of this time and argument, of record 1. */
void eventlog_case_put(struct tables *writer, uint64_t time_ns, uint64_t argument);
/* Reads exactly n events, and no more are there; rows[0 .. n - 1]. */
void eventlog_case_expect(plm_event *rows, int n);

#endif
