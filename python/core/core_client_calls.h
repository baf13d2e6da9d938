/* core_client_calls.h - the methods of a Client, in two tables that end with an empty row. */
#ifndef PLM_PYTHON_CORE_CLIENT_CALLS_H
#define PLM_PYTHON_CORE_CLIENT_CALLS_H

#include "python/core/core_client.h"

extern const PyMethodDef core_client_methods[];      /* futures: core_client_calls.c */
extern const PyMethodDef core_client_rule_methods[]; /* the runtime: core_client_rule.c */

#endif
