/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which exceptions of a guest belong together: the manual's table for an exception during another's delivery, and the chain
 * that is told when it ends in a triple fault.
 */
#ifndef VTX_TRACE_FAULT_CHAIN_H
#define VTX_TRACE_FAULT_CHAIN_H

#include "compat/pure.h"
#include "uapi/vtx.h"

/* What becomes of an exception that is raised while another is delivered. */
enum vtx_exc_outcome {
	VTX_EXC_SERIAL,		/* the second is delivered; the first comes again by itself, if at all */
	VTX_EXC_DOUBLE,		/* #DF takes the place of both */
	VTX_EXC_TRIPLE,		/* shutdown */
};

enum vtx_exc_outcome vtx_exception_combine(u8 first, u8 second);

/* As the manual writes it, "#GP"; "#18" where it has no short name. */
const char *vtx_exception_name(u8 vector);

struct vtx_fault_link {
	struct vtx_fault fault;	/* insn is read when the chain is told */
	u64 linear_rip;		/* CS base + RIP */
};

/* The last VTX_MAX_FAULTS exceptions that belong together, the oldest first. */
struct vtx_fault_chain {
	unsigned int nr;
	struct vtx_fault_link link[VTX_MAX_FAULTS];
};

/**
 * vtx_fault_chain_add() - one more exception
 * @before: the exception whose delivery raised this one, as far as it is known; NULL: none, and a new chain begins.
 *
 * Where @before is not what the chain ends with, somebody else raised it (the processor, without exit): the chain begins
 * with it, marked as concluded.
 */
void vtx_fault_chain_add(struct vtx_fault_chain *chain, const struct vtx_fault_link *link, const struct vtx_fault *before);

#endif /* VTX_TRACE_FAULT_CHAIN_H */
