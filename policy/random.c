#include "policy/draw.h"
#include "policy/policies.h"

static uint32_t random_draw(const struct policy_view *view, uint64_t *seed)
{
	return draw_below(seed, view->n);
}

const struct policy policy_random = {
	.name = "random",
	.help = "any open worker, each alike",
	.draw = random_draw,
};
