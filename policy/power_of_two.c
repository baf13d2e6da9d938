#include "policy/draw.h"
#include "policy/key.h"
#include "policy/policies.h"

/* Draws two different workers. With the same worker allowed twice, a draw in n has no choice, and
 * of two open workers the fuller is taken each fourth time. */
static uint32_t power_of_two_draw(const struct policy_view *view, uint64_t *seed)
{
	if (view->n < 2)
		return 0;
	uint32_t first = draw_below(seed, view->n), second = draw_below(seed, view->n - 1);
	second += second >= first;
	uint64_t first_room = key_room(&view->worker[view->open[first]]);
	uint64_t second_room = key_room(&view->worker[view->open[second]]);
	return second_room > first_room ? second : first;
}

const struct policy policy_power_of_two = {
	.name = "power-of-two",
	.help = "of two open workers drawn, the one with more free slots x weight",
	.draw = power_of_two_draw,
};
