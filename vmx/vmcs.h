/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMCS: its page, who has it loaded, and accessors that know the width of each field.
 *
 * A field's encoding carries its width in bits 14:13 (SDM vol. 3, appendix B).  With a constant field the
 * compiler refuses the accessor of another width.  VMREAD and VMWRITE cannot fail while the VMCS is current;
 * if one does, vtx_vmcs_read_failed()/vtx_vmcs_write_failed() report it once, out of line, and mark the VM dead.
 */
#ifndef VTX_VMX_VMCS_H
#define VTX_VMX_VMCS_H

#include <linux/build_bug.h>
#include <linux/list.h>
#include <linux/types.h>
#include <asm/asm.h>
#include <asm/vmx.h>

/* The header of a VMCS or VMXON region, SDM vol. 3, 25.2. */
struct vtx_vmcs_page {
	u32 revision;
	u32 abort;
	u8 data[];
};

/* One VMCS and where it is loaded. Written by its vCPU thread, or on @cpu by an IPI with interrupts off. */
struct vtx_vmcs {
	struct vtx_vmcs_page *page;
	u64 phys;
	int cpu;		/* CPU on which it is active, -1 when clear everywhere */
	bool launched;		/* VMLAUNCH done since the last VMCLEAR: VMRESUME from now on */
	struct list_head node;	/* on that CPU's list of active VMCSs */
};

enum vtx_field_width { VTX_FIELD_16 = 0, VTX_FIELD_64 = 1, VTX_FIELD_32 = 2, VTX_FIELD_NATURAL = 3 };

#define VTX_FIELD_WIDTH(field) (((field) >> 13) & 3)
#define VTX_CHECK_WIDTH(field, width)                                              \
	BUILD_BUG_ON_MSG(__builtin_constant_p(field) &&                            \
				 (VTX_FIELD_WIDTH(field) != (width) || ((field) & 1)), \
			 "accessor of the wrong width for this VMCS field")

void vtx_vmcs_read_failed(unsigned long field);
void vtx_vmcs_write_failed(unsigned long field, unsigned long value);

/*
 * STC makes a faulting VMREAD (VMX was turned off under us by a crash or reboot) look like VMfailInvalid: a
 * successful one clears CF and ZF (SDM vol. 3, 31.2).
 */
static __always_inline unsigned long vtx_vmread(unsigned long field)
{
	unsigned long value;
	bool failed;

	asm volatile("stc\n"
		     "1: vmread %2, %0\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     : "=r"(value), "=@ccbe"(failed)
		     : "r"(field));
	if (unlikely(failed)) {
		vtx_vmcs_read_failed(field);
		return 0;
	}
	return value;
}

/*
 * For a second look at a VMCS that has just answered a checked VMREAD: two instructions less, for the paths that count them. Where VMX
 * was turned off under us the value is the field's number.
 */
static __always_inline unsigned long vtx_vmread_again(unsigned long field)
{
	unsigned long value;

	asm volatile("1: vmread %1, %0\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     : "=r"(value)
		     : "0"(field)
		     : "cc");
	return value;
}

static __always_inline void vtx_vmwrite(unsigned long field, unsigned long value)
{
	bool failed;

	asm volatile("stc\n"
		     "1: vmwrite %1, %2\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     : "=@ccbe"(failed)
		     : "rm"(value), "r"(field));
	if (unlikely(failed))
		vtx_vmcs_write_failed(field, value);
}

static __always_inline u16 vtx_vmread16(unsigned long field)
{
	VTX_CHECK_WIDTH(field, VTX_FIELD_16);
	return vtx_vmread(field);
}

static __always_inline u32 vtx_vmread32(unsigned long field)
{
	VTX_CHECK_WIDTH(field, VTX_FIELD_32);
	return vtx_vmread(field);
}

static __always_inline u64 vtx_vmread64(unsigned long field)
{
	VTX_CHECK_WIDTH(field, VTX_FIELD_64);
	return vtx_vmread(field);
}

static __always_inline unsigned long vtx_vmreadl(unsigned long field)
{
	VTX_CHECK_WIDTH(field, VTX_FIELD_NATURAL);
	return vtx_vmread(field);
}

static __always_inline void vtx_vmwrite16(unsigned long field, u16 value)
{
	VTX_CHECK_WIDTH(field, VTX_FIELD_16);
	vtx_vmwrite(field, value);
}

static __always_inline void vtx_vmwrite32(unsigned long field, u32 value)
{
	VTX_CHECK_WIDTH(field, VTX_FIELD_32);
	vtx_vmwrite(field, value);
}

static __always_inline void vtx_vmwrite64(unsigned long field, u64 value)
{
	VTX_CHECK_WIDTH(field, VTX_FIELD_64);
	vtx_vmwrite(field, value);
}

static __always_inline void vtx_vmwritel(unsigned long field, unsigned long value)
{
	VTX_CHECK_WIDTH(field, VTX_FIELD_NATURAL);
	vtx_vmwrite(field, value);
}

int vtx_vmcs_alloc(struct vtx_vmcs *vmcs);
void vtx_vmcs_free(struct vtx_vmcs *vmcs);
void vtx_vmcs_load(struct vtx_vmcs *vmcs);
void vtx_vmcs_clear(struct vtx_vmcs *vmcs);
void vtx_vmcs_clear_all_on_this_cpu(void);
void vtx_vmcs_init_cpu(int cpu);

#endif /* VTX_VMX_VMCS_H */
