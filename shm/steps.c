#include "shm/steps.h"

#ifdef PLM_STEPS
void (*step_hook)(const char *what);
#else
typedef int steps_are_inline; /* nothing to link: the ordinary build has no hook */
#endif
