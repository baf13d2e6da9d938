/* tables_case.h - the tables of a runtime without a runtime: segments without a name, mapped by the
 * test alone. */
#ifndef PLM_TEST_TABLES_CASE_H
#define PLM_TEST_TABLES_CASE_H

#include "tables/tables.h"

extern struct tables tables;

void tables_case_create(const struct limits *limits);
void tables_case_detach(void);

#endif
