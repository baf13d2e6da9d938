/* python_standin.c - the module `py` in processes without a Python interpreter: the loader learns
 * the names from it, and a task that comes to a C worker fails with the reason. */
#include <errno.h>

#include "worker/modules.h"

static int standin_call(plm_call *call)
{
	return plm_fail(call, ENOTSUP,
	    MODULE_PYTHON_NAME "." MODULE_PYTHON_CALL
			       ": this worker has no Python interpreter: submit the task with the "
			       "need python=1, or boot with plm --python INTERPRETER");
}

static const plm_export standin_exports[] = {
	{ MODULE_PYTHON_CALL, standin_call, "CALL ARGS: calls a Python function" },
};

const plm_module python_standin_module = { PLM_MODULE_ABI, sizeof(plm_view), sizeof(plm_task), 1,
	MODULE_PYTHON_NAME, standin_exports };
