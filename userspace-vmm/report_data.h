/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All that is known about a dead vCPU, in a form that can be saved: what `vtx run --report` writes and `vtx explain` reads.
 *
 * The file: struct vtx_report_file, then data_size bytes of struct vtx_report_data, then ring_size bytes of the flight recorder as
 * `recorder_raw` gives it (0: none).  A file that is a struct vtx_failure_report and nothing else is read as well.
 */
#ifndef VTX_VMM_REPORT_DATA_H
#define VTX_VMM_REPORT_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uapi/vtx.h"
#include "userspace-vmm/message.h"

#define VTX_REPORT_MAGIC 0x66787476 /* "vtxf" */
#define VTX_REPORT_VERSION 1

struct vtx_report_file {
	uint32_t magic, version;
	uint32_t data_size; /* sizeof(struct vtx_report_data) */
	uint32_t ring_size; /* in bytes */
};

#define VTX_REPORT_HAS_RUN 1	 /* headline, run: the VMM was there */
#define VTX_REPORT_HAS_REGS 2	 /* regs, sregs */
#define VTX_REPORT_HAS_CODE 4	 /* code */
#define VTX_REPORT_HAS_FAILURE 8 /* failure */

#define VTX_CODE_BEFORE 16
#define VTX_CODE_BYTES 48

struct vtx_report_data {
	uint32_t has; /* VTX_REPORT_HAS_* */
	uint32_t vcpu;
	int32_t regs_error;    /* errno when the registers could not be read */
	int32_t failure_error; /* errno of VTX_GET_FAILURE; 0 as well when the device is not vtx's */
	char headline[128];
	struct kvm_run run;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	uint64_t code_address; /* linear, of RIP */
	uint32_t code_bits;    /* 16, 32, 64 */
	uint32_t pad;
	uint8_t code[VTX_CODE_BYTES]; /* from VTX_CODE_BEFORE bytes before RIP */
	uint8_t code_known[VTX_CODE_BYTES];
	struct vtx_failure_report failure;
};

struct vtx_report_saved {
	struct vtx_report_data data;
	uint8_t *ring; /* checked by vtx_ring_check(), or NULL */
	size_t ring_size;
};

/* Writes a file.  Returns 0, or -1 with ERROR filled. */
int vtx_report_write(const char *path, const struct vtx_report_saved *saved, struct vtx_error *error);

/* Reads one; what is in SAVED can be printed without further checks.  Returns 0, or -1 with ERROR filled; free it in both cases. */
int vtx_report_read(const char *path, struct vtx_report_saved *saved, struct vtx_error *error);
void vtx_report_free(struct vtx_report_saved *saved);

#endif
