/* policies.h - all policies, for the table in policy.c; private. */
#ifndef PLM_POLICIES_H
#define PLM_POLICIES_H

#include "policy/policy.h"

extern const struct policy policy_locality;
extern const struct policy policy_load_aware;
extern const struct policy policy_power_of_two;
extern const struct policy policy_random;
extern const struct policy policy_round_robin;
extern const struct policy policy_static_fill;

#endif
