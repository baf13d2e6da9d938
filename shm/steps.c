#include "shm/steps.h"

#ifdef PLM_STEPS
bool (*step_hook)(const struct step *step, const void *at, size_t bytes);
#else
typedef int steps_are_inline; /* nothing to link: the ordinary build has no hook */
#endif
