/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the numbers of an exit mean: exit qualifications, interruption information, error codes, MSR indices.  Pure; any bits
 * give an answer.
 */
#ifndef VTX_VMM_DECODE_H
#define VTX_VMM_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uapi/vtx.h"
#include "userspace-vmm/fields.h"

/* The reason's name; for a record of a failed VMLAUNCH "ENTRY_FAILED". */
const char *vtx_decode_reason(const struct vtx_record *record);

/* What the record's info says, by reason; then gpa and gla where valid. */
void vtx_decode_info(const struct vtx_record *record, struct vtx_fields *fields);

/* Interruption information as in VM-entry, VM-exit and IDT-vectoring fields (SDM vol. 3, 24.8.3, 24.9.2); none if bit 31 is clear. */
void vtx_decode_event(uint32_t info, struct vtx_fields *fields);

/* The bits of an error code of exception VECTOR, as "present|write|user". */
void vtx_decode_error_code(uint8_t vector, uint32_t error, char *buffer, size_t size);

/* "#PF" and so on; NULL for vectors that are no exceptions. */
const char *vtx_name_vector(unsigned int vector);

/* NULL for an MSR that has no name here; BUFFER is for names with a number in them. */
const char *vtx_name_msr(uint32_t index, char *buffer, size_t size);

/* Of the local APIC's page; NULL where there is none. */
const char *vtx_name_apic_register(uint32_t offset);

/* "fast" and so on. */
const char *vtx_name_handler(unsigned int by);

#endif
