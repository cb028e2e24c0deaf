/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers in words: KVM exit reasons, VMX exit reasons, VM-instruction errors.  Every number has an answer. */
#ifndef VTX_VMM_NAMES_H
#define VTX_VMM_NAMES_H

#include <stdint.h>

const char *vtx_name_kvm_exit(uint32_t reason);
/* REASON as in the VMCS: bits 15:0 count. */
const char *vtx_name_vmx_exit(uint32_t reason);
/* The basic exit reason of that name, in any case of letters; -1: there is none. */
int vtx_number_vmx_exit(const char *name);
const char *vtx_name_vmx_instruction_error(uint64_t number);
const char *vtx_name_internal_error(uint32_t suberror);

#endif
