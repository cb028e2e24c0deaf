/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's entry point for an NMI that a hypervisor took out of a guest: for assembly, which cannot include compat.h.
 */
#ifndef VTX_COMPAT_NMI_H
#define VTX_COMPAT_NMI_H

#ifdef VTX_HAVE_NMI_KVM_VMX
#define VTX_NMI_ENTRY asm_exc_nmi_kvm_vmx
#else
#define VTX_NMI_ENTRY asm_exc_nmi_noist
#endif

#endif /* VTX_COMPAT_NMI_H */
