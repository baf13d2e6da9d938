#include "tables/turns.h"

uint64_t turns_take(struct tables *t, _Atomic uint64_t *next, uint64_t n)
{
	uint64_t mine = atomic_load_explicit(next, memory_order_relaxed), first;
	shared64 *turn = &t->control->turn;
	do
		first = mine >= sh_load(turn) ? mine : sh_add(turn, 1, "turn");
	while (!atomic_compare_exchange_weak(next, &mine, first + n));
	return first;
}

void turns_give_back(_Atomic uint64_t *next, uint64_t turn)
{
	uint64_t expected = turn + 1;
	atomic_compare_exchange_strong(next, &expected, turn);
}

void turns_passed(struct tables *t, uint64_t turn)
{
	uint64_t now = sh_load(&t->control->turn);
	while (now <= turn && !sh_cas(&t->control->turn, &now, turn + 1))
		;
}
