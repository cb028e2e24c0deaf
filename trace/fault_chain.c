// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which exceptions of a guest belong together (see the header).
 */
#include "compat/pure.h"
#include "trace/fault_chain.h"

enum class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT, NR_CLASSES };

#define DF 8

/* SDM vol. 3, table 6-4. What is not here is benign. */
static const u8 classes[32] = {
	[0] = CONTRIBUTORY,	/* #DE */
	[DF] = DOUBLE_FAULT,
	[10] = CONTRIBUTORY,	/* #TS */
	[11] = CONTRIBUTORY,	/* #NP */
	[12] = CONTRIBUTORY,	/* #SS */
	[13] = CONTRIBUTORY,	/* #GP */
	[14] = PAGE_FAULT,
	[20] = PAGE_FAULT,	/* #VE */
	[21] = CONTRIBUTORY,	/* #CP */
};

/* SDM vol. 3, table 6-5: a row for the first, a column for the second. #DF itself is nobody's second. */
static const u8 outcomes[NR_CLASSES][NR_CLASSES] = {
	[CONTRIBUTORY] = { [CONTRIBUTORY] = VTX_EXC_DOUBLE },
	[PAGE_FAULT] = { [CONTRIBUTORY] = VTX_EXC_DOUBLE, [PAGE_FAULT] = VTX_EXC_DOUBLE },
	[DOUBLE_FAULT] = { [CONTRIBUTORY] = VTX_EXC_TRIPLE, [PAGE_FAULT] = VTX_EXC_TRIPLE, [DOUBLE_FAULT] = VTX_EXC_TRIPLE },
};

static enum class class_of(u8 vector)
{
	return vector < ARRAY_SIZE(classes) ? classes[vector] : BENIGN;
}

enum vtx_exc_outcome vtx_exception_combine(u8 first, u8 second)
{
	return outcomes[class_of(first)][class_of(second)];
}

const char *vtx_exception_name(u8 vector)
{
	static const char *const names[32] = {
		"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "#9",  "#TS", "#NP", "#SS", "#GP", "#PF", "#15",
		"#MF", "#AC", "#MC", "#XM", "#VE", "#CP", "#22", "#23", "#24", "#25", "#26", "#27", "#28", "#29", "#30", "#31",
	};

	return vector < ARRAY_SIZE(names) ? names[vector] : "no exception";
}

static void append(struct vtx_fault_chain *chain, const struct vtx_fault_link *link)
{
	if (chain->nr == VTX_MAX_FAULTS) {
		memmove(&chain->link[0], &chain->link[1], (VTX_MAX_FAULTS - 1) * sizeof(chain->link[0]));
		chain->nr--;
	}
	chain->link[chain->nr++] = *link;
}

void vtx_fault_chain_add(struct vtx_fault_chain *chain, const struct vtx_fault_link *link, const struct vtx_fault *before)
{
	struct vtx_fault_link first = *link;

	if (!before) {
		chain->nr = 0;
	} else if (!chain->nr || chain->link[chain->nr - 1].fault.vector != before->vector) {
		chain->nr = 0;
		first.fault.vector = before->vector;
		first.fault.error = before->error;
		first.fault.cr2 = 0;
		first.fault.flags = (before->flags & VTX_FAULT_HAS_ERROR) | VTX_FAULT_INFERRED;
		append(chain, &first);
	}
	append(chain, link);
}
