// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stream of a VM's exits, and its filter.
 */
#include "trace/recorder.h"

void vtx_stream_exit(struct vtx_vcpu *vcpu, const struct vtx_record *record)
{
}
