#include "manager/staff_requests.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/why.h"
#include "manager/birth.h"
#include "manager/manager.h"
#include "manager/places.h"
#include "manager/staff.h"

static int staff_requests_read_number(const char *what, const char *text, uint32_t *ret)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	if (end == text || *end || text[0] == '-' || n > UINT32_MAX)
		return why(-EINVAL, "%s? \"%.32s\" is not a number", what, text);
	*ret = (uint32_t)n;
	return 0;
}

/* Surplus workers leave, missing workers come. */
static void staff_requests_change(struct manager *m)
{
	staff_dismiss(m);
	birth_complete(m);
}

int staff_set(struct manager *m, const char *text)
{
	uint32_t before = staff_wanted(m), wanted = 0;
	int r = staff_requests_read_number("how many workers", text, &wanted);
	if (r == 0)
		r = staff_check_room(m, wanted, places_clients(m));
	if (r < 0)
		return r;
	log_info("workers of the first kind: now %u, before %u", wanted, before);
	m->outer.cap = wanted;
	if (m->outer.joined && wanted > before)
		wanted = before; /* more workers come with tokens */
	sh_store(&m->tables.control->staff, wanted);
	staff_requests_change(m);
	return 0;
}

static int staff_requests_set_drained(struct manager *m, const char *text, bool drained)
{
	struct control *c = m->tables.control;
	uint32_t worker = 0;
	int r = staff_requests_read_number("which worker", text, &worker);
	if (r < 0)
		return r;
	if (worker >= staff_numbers(m))
		return why(-ENOENT, "there is no worker %u: the numbers of workers are below %u",
		    worker, staff_numbers(m));
	log_info("worker %u is %s", worker, drained ? "drained" : "resumed");
	uint64_t bit = (uint64_t)1 << worker % 64, bits = sh_peek(&c->drained[worker / 64]);
	sh_store(&c->drained[worker / 64], drained ? bits | bit : bits & ~bit);
	staff_requests_change(m);
	return 0;
}

int staff_drain(struct manager *m, const char *worker)
{
	return staff_requests_set_drained(m, worker, true);
}

int staff_resume(struct manager *m, const char *worker)
{
	return staff_requests_set_drained(m, worker, false);
}
