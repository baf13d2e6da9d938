#include "manager/mode.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "manager/loader.h"
#include "manager/manager.h"
#include "manager/members.h"
#include "manager/nursery.h"
#include "manager/notify.h"

/* The modules of the boot: no ready line will come. */
static void mode_give_up_modules(struct manager *m)
{
	if (m->loader.boot_due > 0)
		loader_kill(m);
	m->loader.boot_due = 0;
}

void mode_stop(struct manager *m)
{
	if (m->stopping || m->ending)
		return;
	log_info(
	    "stopping: no new tasks, accepted tasks run; a second signal ends the runtime at once");
	m->stopping = true;
	fleet_child_leave(m);
	mode_give_up_modules(m);
	notify_say(m->notify, "STOPPING=1\nSTATUS=stopping: accepted tasks run\n");
	sh_store(&m->tables.control->admission, 0); /* accepted tasks run, also after a pause */
	sh_store(&m->tables.control->mode, MODE_STOPPING);
	event_bump(&m->tables.process[SLOT_SCHEDULER].event);
}

/* A scheduler may have seen the last task settled and be ending already: a successor comes as after
 * any death. A service manager, once told of the stop, would kill the runtime after a time limit,
 * so the stop cannot be taken back. */
int mode_take_back(struct manager *m)
{
	if (m->notify >= 0)
		return why(-ESHUTDOWN,
		    "the runtime is being stopped, and its service manager was told: start the "
		    "runtime again when it has ended");
	log_info("the stop was taken back: the runtime goes on and takes tasks");
	m->stopping = false;
	fleet_child_stay(m);
	sh_store(&m->tables.control->mode, m->announced ? MODE_UP : MODE_STARTING);
	event_bump(&m->tables.process[SLOT_SCHEDULER].event);
	return 0;
}

/* The scheduler sees the change when it is woken, workers at the next task. */
void mode_admit(struct manager *m, uint32_t admission)
{
	log_info("the queue %s, submissions are %s",
	    admission & ADMISSION_PAUSED ? "rests" : "goes on",
	    admission & ADMISSION_CLOSED ? "refused" : "taken");
	sh_store(&m->tables.control->admission, admission);
	event_bump(&m->tables.process[SLOT_SCHEDULER].event);
}

void mode_end(struct manager *m)
{
	if (m->ending)
		return;
	m->ending = true;
	mode_give_up_modules(m);
	loader_kill(m);
	notify_say(m->notify, "STOPPING=1\nSTATUS=ending\n");
	m->end_deadline_ns = clock_ns() + STOP_GRACE_MS * NS_PER_MS;
	sh_store(&m->tables.control->mode, MODE_STOPPED);
	nursery_end(m);
	fleet_child_end(m, false);
	members_signal(m, SIGTERM);
}

void mode_fail(struct manager *m)
{
	m->failed = true;
	mode_end(m);
}

void mode_boot_failed(struct manager *m)
{
	log_error("%s", why_text());
	m->loader.boot_due = 0;
	if (m->adopts)
		m->abandoned = true;
	else
		mode_fail(m);
}
