// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzzer: the guest page walk beside the reference.  Input: a processor, an address, an access, then entries: where in
 * the 8 pages of physical memory, and what.
 */
#include <stdlib.h>
#define PAGES 8 /* small: it is copied for each input */
#include "selftests/fuzz/walk_reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	u64 cr0, cr3, cr4, efer, gva;
	u64 pdptrs[4];
	u8 flags, width, access;
} __attribute__((packed));

struct entry {
	u16 where;
	u64 pte;
} __attribute__((packed));

#define MUST(cond)                       \
	do {                             \
		if (!(cond))             \
			__builtin_trap(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vtx_walk_result out;
	struct vtx_walk_cpu cpu = { 0 };
	struct reference r;
	struct input in;
	struct entry ent;
	unsigned int access;
	int ret;

	if (size < sizeof(in))
		return 0;
	memcpy(&in, data, sizeof(in));
	memset(phys, 0, sizeof(phys));
	for (data += sizeof(in), size -= sizeof(in); size >= sizeof(ent); data += sizeof(ent), size -= sizeof(ent)) {
		memcpy(&ent, data, sizeof(ent));
		phys[ent.where % ARRAY_SIZE(phys)] = ent.pte;
	}
	memcpy(ref_phys, phys, sizeof(phys));
	cpu.cr0 = in.cr0;
	cpu.cr3 = in.cr3;
	cpu.cr4 = in.cr4;
	cpu.efer = in.efer;
	memcpy(cpu.pdptrs, in.pdptrs, sizeof(cpu.pdptrs));
	cpu.rflags_ac = in.flags & 1;
	cpu.gbpages = in.flags & 2;
	cpu.cpl = in.flags >> 2 & 3;
	cpu.maxphyaddr = 32 + in.width % 21;
	access = in.access & (VTX_WALK_WRITE | VTX_WALK_IMPLICIT | VTX_WALK_NO_SET_AD);
	if ((in.access & VTX_WALK_EXEC) && !(access & (VTX_WALK_WRITE | VTX_WALK_IMPLICIT)))
		access |= VTX_WALK_EXEC;

	reads = 0;
	ret = vtx_walk(&cpu, &ops, NULL, in.gva, access, &out);
	MUST(reads <= 5 * 8);
	if (ret == -EINVAL) {
		MUST(cpu.efer & LMA);
		return 0;
	}
	r = reference(&cpu, in.gva, access);
	MUST(ret == (r.efault ? -EFAULT : 0));
	if (ret)
		return 0;
	MUST(out.fault == r.fault);
	if (out.fault) {
		MUST(out.error_code == ref_error(&r));
	} else {
		MUST(out.gpa == r.gpa && out.page_size == r.size && out.gpa < 1ULL << 52);
		MUST(out.writable == r.rw && out.user == r.us && out.executable == !(r.xd && r.entry != 4));
	}
	MUST(!memcmp(phys, ref_phys, sizeof(phys)));
	return 0;
}
