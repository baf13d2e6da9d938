/* sim_run.c - the simulation: a heap of events, a heap of workers, queues. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/why.h"
#include "bench/sim.h"
#include "heap/heap.h"
#include "policy/draw.h"

#define NOTHING UINT32_MAX

struct queue { /* of tasks, linked by `next` */
	uint32_t first, last, n;
};

struct place { /* facts about a worker that policies do not see */
	struct queue queue;
	uint32_t at; /* tasks here: queued and running */
	uint32_t running;
	uint32_t open_at; /* position in view.open; NOTHING: the worker is full */
	double speed;
	uint64_t busy_ns;
};

struct running {               /* by number of the event that ends the task */
	uint32_t task, worker; /* in a free entry, `task` is the next free entry */
};

struct sim {
	const struct sim_setup *setup;
	const struct policy *policy;
	struct sim_task *task;
	struct policy_worker *worker;
	struct place *place;
	struct running *running;
	uint32_t *open;
	uint64_t *wait_ns, *stay_ns; /* of each task */
	struct policy_view view;
	struct heap events, order; /* the next events; for policies with a key: the order of the
				    * workers */
	void *events_memory, *order_memory;
	struct queue queue; /* for all */
	uint64_t now_ns, turn, seed;
	uint32_t arrived, free_event, arrival_event;
	uint32_t most, most_waiting, with_bytes, moved;
};

/* ---- queues ---- */

static void queue_push(struct sim *s, struct queue *queue, uint32_t task)
{
	s->task[task].next = NOTHING;
	if (queue->n++ == 0)
		queue->first = task;
	else
		s->task[queue->last].next = task;
	queue->last = task;
}

static uint32_t queue_pop(struct sim *s, struct queue *queue)
{
	uint32_t task = queue->first;
	queue->first = s->task[task].next;
	queue->n--;
	return task;
}

/* ---- workers with room ---- */

static void open_close(struct sim *s, uint32_t number, bool open)
{
	struct place *place = &s->place[number];
	if (open == (place->open_at != NOTHING))
		return;
	if (open) {
		place->open_at = s->view.n;
		s->open[s->view.n++] = number;
		return;
	}
	uint32_t last = s->open[--s->view.n];
	s->open[place->open_at] = last;
	s->place[last].open_at = place->open_at;
	place->open_at = NOTHING;
}

/* After a task came to the worker or left. */
static void sim_run_refresh(struct sim *s, uint32_t number)
{
	struct policy_worker *worker = &s->worker[number];
	uint32_t depth = s->setup->immediate ? s->setup->depth : 1;
	uint64_t room = (uint64_t)s->setup->slots * depth - s->place[number].at;
	worker->free = room * POLICY_SLOT / depth;
	open_close(s, number, worker->free > 0);
	if (!s->policy->key)
		return;
	if (worker->free > 0)
		heap_update(&s->order, number, s->policy->key(worker));
	else
		heap_remove(&s->order, number);
}

/* ---- a task's way ---- */

static void event_push(struct sim *s, uint32_t event, uint64_t at_ns)
{
	heap_push(&s->events, event, 0, UINT64_MAX - at_ns); /* the largest key is the soonest */
}

/* The time to bring the task's bytes to this worker. */
static uint64_t transfer_ns(struct sim *s, const struct sim_task *task, uint32_t number)
{
	if (task->home == POLICY_NOBODY)
		return 0;
	s->with_bytes++;
	if (task->home == number)
		return 0;
	s->moved++;
	bool same_node = s->worker[task->home].node == s->worker[number].node;
	double far_ns = s->setup->transfer * s->setup->mean_us * SIM_NS_PER_US;
	return (uint64_t)(same_node ? far_ns / 2 : far_ns);
}

static void sim_run_start(struct sim *s, uint32_t index, uint32_t number)
{
	struct sim_task *task = &s->task[index];
	struct place *place = &s->place[number];
	uint64_t takes_ns =
	    (uint64_t)((double)task->runtime_ns / place->speed) + transfer_ns(s, task, number);
	uint32_t event = s->free_event;
	CHECK(event != NOTHING);
	s->free_event = s->running[event].task;
	s->running[event] = (struct running){ .task = index, .worker = number };
	s->wait_ns[index] = s->now_ns - task->arrival_ns;
	s->stay_ns[index] = s->wait_ns[index] + takes_ns;
	place->busy_ns += takes_ns;
	place->running++;
	event_push(s, event, s->now_ns + takes_ns);
}

static uint32_t sim_run_choose(struct sim *s, const struct sim_task *task)
{
	uint32_t nearest = POLICY_NOBODY;
	struct heap_entry first;
	if (s->policy->near && task->home != POLICY_NOBODY) {
		struct policy_bytes bytes = { .worker = task->home,
			.bytes = 1,
			.node = s->setup->nodes > 1 ? s->worker[task->home].node : POLICY_NOBODY };
		nearest = s->policy->near(&s->view, &bytes, 1);
	}
	if (nearest != POLICY_NOBODY)
		return nearest;
	if (s->policy->draw)
		return s->open[s->policy->draw(&s->view, &s->seed)];
	CHECK(heap_peek(&s->order, &first));
	return first.id;
}

static void place_task(struct sim *s, uint32_t index)
{
	uint32_t number = sim_run_choose(s, &s->task[index]);
	struct place *place = &s->place[number];
	CHECK(place->open_at != NOTHING);
	s->worker[number].last_turn = ++s->turn;
	place->at++;
	s->most = place->at > s->most ? place->at : s->most;
	sim_run_refresh(s, number);
	if (place->running < s->setup->slots)
		sim_run_start(s, index, number);
	else
		queue_push(s, &place->queue, index);
}

static void sim_run_arrive(struct sim *s)
{
	uint32_t index = s->arrived++;
	if (s->arrived < s->setup->tasks)
		event_push(s, s->arrival_event, s->task[s->arrived].arrival_ns);
	if (s->view.n > 0) {
		place_task(s, index);
		return;
	}
	queue_push(s, &s->queue, index);
	s->most_waiting = s->queue.n > s->most_waiting ? s->queue.n : s->most_waiting;
}

static void sim_run_end(struct sim *s, uint32_t event)
{
	uint32_t number = s->running[event].worker;
	struct place *place = &s->place[number];
	s->running[event].task = s->free_event;
	s->free_event = event;
	place->running--;
	place->at--;
	if (place->queue.n > 0)
		sim_run_start(s, queue_pop(s, &place->queue), number);
	sim_run_refresh(s, number);
	if (s->queue.n > 0 && s->view.n > 0)
		place_task(s, queue_pop(s, &s->queue));
}

/* ---- set up, run, sum up ---- */

static void push_first_arrival(void *sim, struct heap *heap)
{
	struct sim *s = sim;
	heap_push(heap, s->arrival_event, 0, UINT64_MAX - s->task[0].arrival_ns);
}

static void push_workers(void *sim, struct heap *heap)
{
	struct sim *s = sim;
	for (uint32_t i = 0; i < s->setup->workers; i++)
		heap_push(heap, i, 0, s->policy->key(&s->worker[i]));
}

static void *sim_run_map(size_t bytes)
{
	void *memory =
	    mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

static void sim_run_unmap(void *memory, size_t bytes)
{
	if (memory)
		munmap(memory, bytes);
}

static int sim_run_allocate(struct sim *s)
{
	size_t workers = s->setup->workers, slots = workers * s->setup->slots;
	s->worker = calloc(workers, sizeof *s->worker);
	s->place = calloc(workers, sizeof *s->place);
	s->open = calloc(workers, sizeof *s->open);
	s->running = calloc(slots, sizeof *s->running);
	s->wait_ns = calloc(s->setup->tasks, sizeof *s->wait_ns);
	s->stay_ns = calloc(s->setup->tasks, sizeof *s->stay_ns);
	s->events_memory = sim_run_map(heap_bytes((uint32_t)slots + 1));
	s->order_memory = sim_run_map(heap_bytes((uint32_t)workers));
	if (s->worker && s->place && s->open && s->running && s->wait_ns && s->stay_ns &&
	    s->events_memory && s->order_memory)
		return 0;
	return why(-ENOMEM, "no memory for %u tasks on %u workers: ask for fewer", s->setup->tasks,
	    s->setup->workers);
}

static void sim_run_release(struct sim *s)
{
	size_t workers = s->setup->workers, slots = workers * s->setup->slots;
	free(s->worker);
	free(s->place);
	free(s->open);
	free(s->running);
	free(s->wait_ns);
	free(s->stay_ns);
	sim_run_unmap(s->events_memory, heap_bytes((uint32_t)slots + 1));
	sim_run_unmap(s->order_memory, heap_bytes((uint32_t)workers));
}

static void make_workers(struct sim *s)
{
	const struct sim_setup *setup = s->setup;
	for (uint32_t i = 0; i < setup->workers; i++) {
		uint32_t generation = setup->mix[i % setup->mix_n];
		s->worker[i] = (struct policy_worker){ .slots = setup->slots,
			.number = i,
			.weight = sim_weight(generation),
			.free = (uint64_t)setup->slots * POLICY_SLOT,
			.node = (uint32_t)((uint64_t)i * setup->nodes / setup->workers) };
		s->place[i] = (struct place){ .open_at = i, .speed = sim_speed(generation) };
		s->open[i] = i;
	}
	uint32_t slots = setup->workers * setup->slots;
	for (uint32_t i = 0; i < slots; i++)
		s->running[i].task = i + 1 < slots ? i + 1 : NOTHING;
	s->arrival_event = slots;
	s->view = (struct policy_view){ .worker = s->worker, .open = s->open, .n = setup->workers };
}

/* The heaps are ours alone: locked once, for the whole run. */
static int sim_run_run(struct sim *s)
{
	struct heap_entry event;
	heap_create(s->events_memory, s->arrival_event + 1);
	heap_create(s->order_memory, s->setup->workers);
	heap_attach(&s->events, s->events_memory, s->arrival_event + 1, RANK_TASK_HEAP,
	    push_first_arrival, s);
	heap_attach(
	    &s->order, s->order_memory, s->setup->workers, RANK_WORKER_HEAP, push_workers, s);
	int r = heap_lock(&s->events);
	if (r < 0)
		return r;
	r = heap_lock(&s->order);
	if (r == 0) {
		heap_rebuild(&s->events);
		if (s->policy->key)
			heap_rebuild(&s->order);
		while (heap_pop(&s->events, &event)) {
			s->now_ns = UINT64_MAX - event.key;
			if (event.id == s->arrival_event)
				sim_run_arrive(s);
			else
				sim_run_end(s, event.id);
		}
		heap_unlock(&s->order);
	}
	heap_unlock(&s->events);
	return r;
}

static int compare_ns(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return (a > b) - (a < b);
}

/* Sorted; the nearest rank. */
static double quantile_us(const uint64_t *ns, uint32_t n, double fraction)
{
	return (double)ns[(size_t)(fraction * (n - 1) + 0.5)] / SIM_NS_PER_US;
}

static void sum_up(struct sim *s, struct sim_result *ret)
{
	uint32_t n = s->setup->tasks;
	double all = 0, busiest = 0;
	for (uint32_t i = 0; i < s->setup->workers; i++) {
		double busy = (double)s->place[i].busy_ns;
		all += busy;
		busiest = busy > busiest ? busy : busiest;
	}
	qsort(s->wait_ns, n, sizeof s->wait_ns[0], compare_ns);
	qsort(s->stay_ns, n, sizeof s->stay_ns[0], compare_ns);
	*ret = (struct sim_result){ .makespan_us = (double)s->now_ns / SIM_NS_PER_US,
		.wait_p50_us = quantile_us(s->wait_ns, n, 0.5),
		.wait_p99_us = quantile_us(s->wait_ns, n, 0.99),
		.stay_p50_us = quantile_us(s->stay_ns, n, 0.5),
		.stay_p99_us = quantile_us(s->stay_ns, n, 0.99),
		.balance = busiest * s->setup->workers / all,
		.most = s->most,
		.waiting = s->most_waiting,
		.moved = s->with_bytes ? (double)s->moved / s->with_bytes : 0 };
}

int sim_run(const struct sim_setup *setup, const struct policy *policy, struct sim_task *tasks,
    struct sim_result *ret)
{
	uint64_t seed = ~setup->seed; /* other streams than those that made the tasks */
	struct sim s = {
		.setup = setup, .policy = policy, .task = tasks, .seed = draw_bits(&seed)
	};
	int r = sim_run_allocate(&s);
	if (r == 0) {
		make_workers(&s);
		r = sim_run_run(&s);
	}
	if (r == 0) {
		/* Numbers that do not balance are a bug of the simulation; then no figure at all
		 * is better. */
		CHECK(s.arrived == setup->tasks && s.queue.n == 0);
		CHECK(s.view.n == setup->workers && heap_length(&s.events) == 0);
		sum_up(&s, ret);
	}
	sim_run_release(&s);
	return r;
}
