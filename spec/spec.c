#include "spec/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/scan.h"
#include "base/why.h"

enum { KNOWN_BYTES = 160, GIVEN_GENERATION = RESOURCES_MAX, GIVEN_PYTHON };

static const struct range amounts = { AMOUNT_PLACES, 0, (uint64_t)AMOUNT_MAX *AMOUNT_UNIT };
static const struct range wholes = { 0, 0, AMOUNT_MAX };

/* ---- resources by name ---- */

static const char *const known[RESOURCE_FIRST_NAMED] = {
	[RESOURCE_CPUS] = "cpus",
	[RESOURCE_MEMORY] = "mem",
	[RESOURCE_GPUS] = "gpus",
};

const char *spec_resource_name(const struct resource_names *names, uint32_t resource)
{
	if (resource < RESOURCE_FIRST_NAMED)
		return known[resource];
	return resource < RESOURCES_MAX && names->name[resource][0] ? names->name[resource] : NULL;
}

static void spec_names_begin(struct resource_names *names)
{
	for (uint32_t i = 0; i < RESOURCE_FIRST_NAMED; i++)
		snprintf(names->name[i], sizeof names->name[i], "%s", known[i]);
}

/* The number of a resource; RESOURCES_MAX if no resource has the name. */
static uint32_t spec_find_resource(const struct resource_names *names, struct piece key)
{
	static const struct {
		const char *name;
		uint32_t resource;
	} others[] = {
		{ "cpu", RESOURCE_CPUS },
		{ "memory", RESOURCE_MEMORY },
		{ "gpu", RESOURCE_GPUS },
	};
	for (size_t i = 0; i < COUNT_OF(others); i++)
		if (piece_is(key, others[i].name))
			return others[i].resource;
	for (uint32_t i = 0; i < RESOURCES_MAX; i++) {
		const char *name = spec_resource_name(names, i);
		if (name && piece_is(key, name))
			return i;
	}
	return RESOURCES_MAX;
}

/* Gives the name the next free number. */
static int spec_add_resource(
    const struct scan *s, struct resource_names *names, struct piece key, uint32_t *ret)
{
	uint32_t i = RESOURCE_FIRST_NAMED;
	while (i < RESOURCES_MAX && names->name[i][0])
		i++;
	if (key.length >= RESOURCE_NAME_BYTES)
		return scan_error(s, key, "the name of a resource has at most %d characters",
		    RESOURCE_NAME_BYTES - 1);
	if (i == RESOURCES_MAX)
		return scan_error(s, key, "at most %d resources can be named",
		    RESOURCES_MAX - RESOURCE_FIRST_NAMED);
	snprintf(names->name[i], sizeof names->name[i], "%.*s", (int)key.length, key.at);
	*ret = i;
	return 0;
}

/* Refuse a key given twice: a second value would silently win, or lose. */
static int spec_take_once(
    const struct scan *s, const struct pair *p, uint32_t which, uint32_t *given)
{
	if (*given & (1u << which))
		return scan_error(
		    s, p->whole, "%.*s is given already", (int)p->key.length, p->key.at);
	*given |= 1u << which;
	return 0;
}

/* A whole number, as an amount. */
static int spec_whole_amount(
    const struct scan *s, const struct pair *p, struct range range, uint64_t *ret)
{
	uint64_t n;
	int r = scan_decimal(s, p->whole, p->value, range, &n);
	if (r == 0)
		*ret = n * AMOUNT_UNIT;
	return r;
}

/* ---- workers ---- */

struct workers { /* as read so far */
	struct resource_names names;
	struct worker_kind kind[WORKER_KINDS_MAX];
	uint32_t kinds;
	uint64_t cpus;
};

static int spec_read_generation(
    const struct scan *s, const struct pair *p, struct worker_kind *kind)
{
	static const char prefix[] = "gen";
	const struct range range = { 0, 1, GENERATIONS };
	size_t skip = strlen(prefix);
	struct piece number = p->value;
	if (number.length > skip && strncasecmp(number.at, prefix, skip) == 0)
		number = (struct piece){ number.at + skip, number.length - skip };
	uint64_t n;
	int r = scan_decimal(s, p->whole, number, range, &n);
	if (r == 0)
		kind->generation = (uint32_t)n;
	return r;
}

static int spec_read_cpus(const struct scan *s, const struct pair *p, struct worker_kind *kind)
{
	const struct range range = { 0, 1, CPUS_MAX };
	int r = spec_whole_amount(s, p, range, &kind->amount[RESOURCE_CPUS]);
	kind->cpus = (uint32_t)(kind->amount[RESOURCE_CPUS] / AMOUNT_UNIT);
	return r;
}

static int spec_read_python(const struct scan *s, const struct pair *p,
    struct resource_names *names, struct worker_kind *kind)
{
	uint32_t number;
	int r = spec_python_add(names, p->value.at, p->value.length, &number);
	if (r < 0)
		return scan_error(s, p->whole, "%s", why_text());
	kind->python = number + 1;
	return 0;
}

static int spec_read_resource(const struct scan *s, const struct pair *p,
    struct resource_names *names, struct worker_kind *kind, uint32_t *given)
{
	if (spec_python_is_reserved(p->key.at, p->key.length))
		return scan_error(s, p->key, "interpreters have such names: python=PATH");
	uint32_t which = spec_find_resource(names, p->key);
	int r = which < RESOURCES_MAX ? 0 : spec_add_resource(s, names, p->key, &which);
	if (r == 0)
		r = spec_take_once(s, p, which, given);
	if (r < 0)
		return r;
	uint64_t *amount = &kind->amount[which];
	if (which == RESOURCE_MEMORY)
		return scan_size(s, p->whole, p->value, MEMORY_MAX, amount);
	if (which == RESOURCE_GPUS)
		return spec_whole_amount(s, p, wholes, amount);
	return scan_decimal(s, p->whole, p->value, amounts, amount);
}

static int spec_read_property(
    struct scan *s, struct resource_names *names, struct worker_kind *kind, uint32_t *given)
{
	struct pair p;
	int r = scan_pair(s, &p);
	if (r < 0)
		return r;
	if (piece_is(p.key, "inject"))
		return scan_error(s, p.key, "faults have a text of their own");
	if (piece_is(p.key, "python")) {
		r = spec_take_once(s, &p, GIVEN_PYTHON, given);
		return r < 0 ? r : spec_read_python(s, &p, names, kind);
	}
	if (piece_is(p.key, "gen")) {
		r = spec_take_once(s, &p, GIVEN_GENERATION, given);
		return r < 0 ? r : spec_read_generation(s, &p, kind);
	}
	if (spec_find_resource(names, p.key) == RESOURCE_CPUS || piece_is(p.key, "slots")) {
		r = spec_take_once(s, &p, RESOURCE_CPUS, given);
		return r < 0 ? r : spec_read_cpus(s, &p, kind);
	}
	return spec_read_resource(s, &p, names, kind, given);
}

static int spec_read_count(
    const struct scan *s, struct piece whole, struct piece number, uint32_t *ret)
{
	const struct range range = { 0, 0, WORKERS_MAX };
	uint64_t n;
	int r = scan_decimal(s, whole, number, range, &n);
	if (r == 0)
		*ret = (uint32_t)n;
	return r;
}

static bool spec_begins_with_digit(struct piece piece)
{
	return piece.length > 0 && piece.at[0] >= '0' && piece.at[0] <= '9';
}

/* KEY=VALUE,KEY=VALUE xN, or a number alone. */
static int spec_read_kind(struct scan *s, struct resource_names *names, struct worker_kind *kind)
{
	uint32_t given = 0;
	*kind = (struct worker_kind){ .count = 1,
		.generation = GENERATION_PLAIN,
		.cpus = 1,
		.amount[RESOURCE_CPUS] = AMOUNT_UNIT };
	if (spec_begins_with_digit(scan_peek(s))) {
		struct piece number = scan_piece(s);
		return spec_read_count(s, number, number, &kind->count);
	}
	do {
		int r = spec_read_property(s, names, kind, &given);
		if (r < 0)
			return r;
	} while (scan_take(s, ','));
	spec_python_grant(names, kind);
	struct piece times = scan_peek(s);
	if (times.length < 2 || times.at[0] != 'x')
		return 0;
	scan_piece(s);
	return spec_read_count(
	    s, times, (struct piece){ times.at + 1, times.length - 1 }, &kind->count);
}

static int spec_add_kind(struct scan *s, struct workers *w)
{
	struct worker_kind kind;
	struct piece first = scan_peek(s);
	if (w->kinds == WORKER_KINDS_MAX)
		return scan_error(s, first, "at most %d kinds of workers", WORKER_KINDS_MAX);
	int r = spec_read_kind(s, &w->names, &kind);
	if (r < 0)
		return r;
	struct piece whole = piece_span(first, (struct piece){ s->at, 0 });
	w->cpus += (uint64_t)kind.count * kind.cpus;
	if (w->cpus > WORKERS_MAX)
		return scan_error(s, whole,
		    "the workers up to here have %llu cpus, at most %d are possible",
		    (unsigned long long)w->cpus, WORKERS_MAX);
	w->kind[w->kinds++] = kind;
	scan_blanks(s);
	if (*s->at && *s->at != ';' && *s->at != '\n')
		return scan_unexpected(s, "a comma, xN, a semicolon or the end");
	return 0;
}

static int spec_read_workers(struct scan *s, struct workers *w)
{
	for (;;) {
		while (scan_take(s, ';') || scan_take(s, '\n'))
			continue;
		if (!*s->at)
			break;
		int r = spec_add_kind(s, w);
		if (r < 0)
			return r;
	}
	if (w->cpus == 0)
		return scan_error(s, scan_peek(s), "at least one worker is needed, e.g. %s",
		    w->kinds ? "x2" : "gen=1,cpus=2 x4");
	return 0;
}

static int spec_workers_of(struct scan *s, struct resource_names *names,
    struct worker_kind kind[WORKER_KINDS_MAX], uint32_t *ret_kinds)
{
	struct workers w = { .names = *names };
	spec_names_begin(&w.names);
	int r = spec_read_workers(s, &w);
	if (r < 0)
		return r;
	*names = w.names;
	memcpy(kind, w.kind, sizeof w.kind);
	*ret_kinds = w.kinds;
	return 0;
}

int spec_workers(const char *text, struct resource_names *names,
    struct worker_kind kind[WORKER_KINDS_MAX], uint32_t *ret_kinds)
{
	struct scan s = { .text = text, .at = text, .what = "workers" };
	return spec_workers_of(&s, names, kind, ret_kinds);
}

/* The length read; a length of `size` means that the file may be longer. */
static ssize_t spec_read_file(const char *path, char *ret, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return why(-errno, "%s: %s", path, strerror(errno));
	size_t length = 0;
	ssize_t n = 1;
	while (length < size && n > 0) {
		n = read(fd, ret + length, size - length);
		if (n > 0)
			length += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
	int r = n < 0 ? why(-errno, "%s: %s", path, strerror(errno)) : 0;
	close(fd);
	return r < 0 ? r : (ssize_t)length;
}

int spec_workers_file(const char *path, struct resource_names *names,
    struct worker_kind kind[WORKER_KINDS_MAX], uint32_t *ret_kinds)
{
	char *text = calloc(1, SPEC_FILE_BYTES_MAX + 1);
	if (!text)
		return why(-ENOMEM, "no memory to read %s", path);
	struct scan s = { .text = text, .at = text, .what = path, .is_file = true };
	ssize_t length = spec_read_file(path, text, SPEC_FILE_BYTES_MAX + 1);
	int r = length < 0 ? (int)length : 0;
	if (length > SPEC_FILE_BYTES_MAX)
		r = why(-EINVAL, "%s: a description of workers has at most %d bytes", path,
		    SPEC_FILE_BYTES_MAX);
	else if (length > 0 && strlen(text) < (size_t)length)
		r = why(-EINVAL, "%s: byte %zu is zero: this is no text", path, strlen(text) + 1);
	if (r == 0)
		r = spec_workers_of(&s, names, kind, ret_kinds);
	free(text);
	return r;
}

/* ---- needs ---- */

static int spec_unknown_resource(
    const struct scan *s, struct piece key, const struct resource_names *names)
{
	char list[KNOWN_BYTES] = "";
	size_t n = 0;
	if (piece_is(key, "python") || spec_python_is_reserved(key.at, key.length))
		return scan_error(s, key,
		    "no worker runs that Python: boot with plm --python INTERPRETER, or with "
		    "python=INTERPRETER in --workers");
	for (uint32_t i = 0; i < RESOURCES_MAX && spec_resource_name(names, i); i++)
		n += (size_t)snprintf(
		    list + n, sizeof list - n, "%s%s", i ? ", " : "", spec_resource_name(names, i));
	return scan_error(s, key, "no worker has such a resource; the resources are %s", list);
}

/* A share of one GPU, or whole GPUs: no task can use half of a second GPU. */
static int spec_read_gpus(const struct scan *s, const struct pair *p, uint64_t *ret)
{
	const struct range range = { AMOUNT_PLACES, 1, amounts.high };
	uint64_t n;
	int r = scan_decimal(s, p->whole, p->value, range, &n);
	if (r == 0 && n > AMOUNT_UNIT && n % AMOUNT_UNIT)
		r = scan_error(s, p->whole, "expected a share below 1 or a whole number");
	if (r == 0)
		*ret = n;
	return r;
}

static int spec_read_need(
    struct scan *s, const struct resource_names *names, struct demand *demand, uint32_t *given)
{
	const struct range cpus = { 0, 1, AMOUNT_MAX }, any = { AMOUNT_PLACES, 1, amounts.high };
	struct pair p;
	int r = scan_pair(s, &p);
	if (r < 0)
		return r;
	uint32_t which = spec_find_resource(names, p.key);
	if (which == RESOURCES_MAX)
		return spec_unknown_resource(s, p.key, names);
	r = spec_take_once(s, &p, which, given);
	if (r < 0)
		return r;
	uint64_t *amount = &demand->amount[which];
	switch (which) {
	case RESOURCE_CPUS: demand->says_cpus = 1; return spec_whole_amount(s, &p, cpus, amount);
	case RESOURCE_MEMORY: return scan_size(s, p.whole, p.value, MEMORY_MAX, amount);
	case RESOURCE_GPUS: return spec_read_gpus(s, &p, amount);
	default: return scan_decimal(s, p.whole, p.value, any, amount);
	}
}

static int spec_read_demand(struct scan *s, const struct resource_names *names, struct demand *ret)
{
	uint32_t given = 0;
	*ret = (struct demand){ .amount[RESOURCE_CPUS] = AMOUNT_UNIT };
	do {
		int r = spec_read_need(s, names, ret, &given);
		if (r < 0)
			return r;
	} while (scan_take(s, ','));
	return 0;
}

int spec_needs(const char *text, const struct resource_names *names, struct terms *ret)
{
	struct scan s = { .text = text, .at = text, .what = "needs" };
	struct demand demand[ALTERNATIVES_MAX] = { 0 };
	uint32_t n = 0;
	do {
		if (n == ALTERNATIVES_MAX)
			return scan_error(&s, scan_peek(&s), "at most %d alternatives", n);
		int r = spec_read_demand(&s, names, &demand[n++]);
		if (r < 0)
			return r;
	} while (scan_take(&s, '|'));
	if (*s.at)
		return scan_unexpected(&s, "a comma, | or the end");
	memcpy(ret->alternative, demand, sizeof demand);
	ret->alternatives = n;
	return 0;
}
