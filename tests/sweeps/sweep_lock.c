/* sweep_lock.c - the robust lock, killed at every step, also inside libc's lock and unlock. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/lock.h"
#include "shm/steps.h"
#include "tests/support/sweep.h"

struct image {
	struct lock_shm lock_shm;
	shared32 truth; /* two words that are equal whenever the lock is free */
	shared32 derived;
	shared32 recoveries;
};

static struct lock lock;

static const char *derive(void *context)
{
	struct image *image = context;
	sh_poke(&image->derived, sh_peek(&image->truth));
	sh_add(&image->recoveries, 1);
	return NULL;
}

static void setup(void *memory)
{
	struct image *image = memory;
	lock_init(&image->lock_shm);
	lock = (struct lock){
		.shm = &image->lock_shm, .rank = RANK_POOL, .recover = derive, .context = image
	};
}

static void add_one(struct image *image)
{
	SWEEP_REQUIRE(lock_acquire(&lock) == 0);
	sh_store(&image->truth, sh_peek(&image->truth) + 1);
	sh_store(&image->derived, sh_peek(&image->derived) + 1);
	lock_release(&lock);
}

static void operate(void *memory)
{
	add_one(memory);
}

static void operate_twice(void *memory)
{
	add_one(memory);
	add_one(memory);
}

static void recover(void *memory)
{
	(void)memory;
	SWEEP_REQUIRE(lock_acquire(&lock) == 0);
	lock_release(&lock);
}

/* Two processes that want the lock at once both get the lock. */
static bool contend(void)
{
	int status;
	pid_t rival = fork();
	SWEEP_REQUIRE(rival >= 0);
	SWEEP_REQUIRE(lock_acquire(&lock) == 0);
	lock_release(&lock);
	if (rival == 0)
		_exit(0);
	return waitpid(rival, &status, 0) == rival && status == 0;
}

static const char *judge(void *memory)
{
	struct image *image = memory;
	char words[64];
	if (strcmp(lock_describe(&image->lock_shm, words, sizeof words), "free") != 0)
		return "the lock is not free";
	if (sh_load(&image->truth) != sh_load(&image->derived))
		return "what the lock protects was left unsound";
	if (sh_load(&image->truth) > 2)
		return "the truth is neither as before nor as after";
	return contend() ? NULL : "two survivors do not both get the lock";
}

#define OP(what, act)                                                                        \
	{                                                                                    \
		.name = what, .bytes = sizeof(struct image), .setup = setup, .operate = act, \
		.recover = recover, .judge = judge                                           \
	}

int main(void)
{
	static const struct sweep_op ops[] = {
		OP("lock and unlock", operate),
		OP("lock and unlock twice", operate_twice),
	};
	return sweep_run(ops, sizeof ops / sizeof ops[0]) ? 1 : 0;
}
