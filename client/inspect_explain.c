/* inspect_explain.c - the reasons of inspect_reasons.c as rows. */
#include <errno.h>

#include "base/why.h"
#include "client/handle.h"
#include "client/inspect.h"
#include "client/inspect_reasons.h"

_Static_assert((int)REASON_TEXT_BYTES == sizeof((plm_reason *)NULL)->text, "a sentence fits");
_Static_assert((int)REASON_REFS_MAX * sizeof(plm_ref) == sizeof((plm_reason *)NULL)->ref,
    "all futures of a reason fit");

static void explain_row(const plm_inspect *in, const struct reason *reason, plm_reason *row)
{
	*row = (plm_reason){ .refs = reason->refs };
	inspect_text(row->code, sizeof row->code, reason->code);
	inspect_text(row->text, sizeof row->text, reason->text);
	for (uint32_t i = 0; i < reason->refs; i++)
		row->ref[i] = inspect_ref(in, reason->ref[i]);
}

int plm_inspect_explain(plm_inspect *in, plm_ref ref, plm_explanation *ret, size_t ret_size,
    plm_reason *rows, size_t size, size_t n)
{
	struct inspect_page page;
	struct explanation e;
	uint64_t word, none = 0;
	int error = inspect_check_page("plm_inspect_explain", in, &none, rows, size, &page);
	page.n = n;
	if (error == 0 && !ret)
		error = why(-EINVAL, "plm_inspect_explain: no place for the explanation");
	if (error < 0 || !inspect_resolve(in, ref, &word, &error))
		return error;
	if (!reasons_explain(&in->tables, ref.id, &e)) /* the future went meanwhile */
		return ref_gone(&in->tables, ref.id);
	plm_explanation head = { .task = inspect_ref(in, e.ref), .state = (int)e.state };
	inspect_text(head.function, sizeof head.function, e.function);
	inspect_give(ret, ret_size, &head, sizeof head);
	for (uint32_t i = 0; i < e.reasons && !inspect_page_full(&page); i++) {
		plm_reason row;
		explain_row(in, &e.reason[i], &row);
		inspect_page_add(&page, &row, sizeof row);
	}
	return (int)e.reasons;
}
