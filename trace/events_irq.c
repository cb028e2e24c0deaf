// SPDX-License-Identifier: GPL-2.0-only
/*
 * The trace events of trace/events_irq.h are made here.
 */
#include "irqchip/apic_msg.h"

#define CREATE_TRACE_POINTS
#include "trace/events_irq.h"
