// SPDX-License-Identifier: GPL-2.0-only
/* State at entry, CPUID, page walks, names, the escape key. */
#include "unit.h"

#include "userspace-vmm/boot_state.h"
#include "userspace-vmm/cpuid.h"
#include "userspace-vmm/escape.h"
#include "userspace-vmm/layout.h"
#include "userspace-vmm/names.h"
#include "userspace-vmm/walk.h"

static struct kvm_cpuid_entry2 *leaf(struct vtx_cpuid *c, uint32_t function, uint32_t index)
{
	for (uint32_t i = 0; i < c->nent; i++)
		if (c->entries[i].function == function && c->entries[i].index == index)
			return &c->entries[i];
	return NULL;
}

static struct vtx_cpuid *new_cpuid(void)
{
	struct vtx_cpuid *c = calloc(1, sizeof(*c));

	c->entries[0] = (struct kvm_cpuid_entry2){ .function = 0, .eax = 0x16 };
	c->entries[1] = (struct kvm_cpuid_entry2){ .function = 1, .ebx = 0x12345678, .ecx = 1U << 21 | 1U << 15,
						   .edx = 1U << 9 | 1U << 28 };
	c->entries[2] = (struct kvm_cpuid_entry2){ .function = 4, .index = 0, .eax = 0xfc004121 };
	c->entries[3] = (struct kvm_cpuid_entry2){ .function = 4, .index = 3, .eax = 0xfc0fc163 };
	c->entries[4] = (struct kvm_cpuid_entry2){ .function = 0xa, .eax = 0x07300404, .edx = 0x603 };
	c->entries[5] = (struct kvm_cpuid_entry2){ .function = 7, .ebx = 0xdeadbeef };
	c->nent = 6;
	return c;
}

static void test_cpuid_smp(void **state)
{
	struct vtx_cpuid_config config = { .index = 2, .cpus = 3, .has_irqchip = true, .tsc_deadline = true };
	struct vtx_cpuid *c = new_cpuid();
	struct kvm_cpuid_entry2 *e;

	(void)state;
	vtx_cpuid_adjust(c, &config);
	e = leaf(c, 1, 0);
	assert_int_equal(e->ebx, 0x02035678);
	assert_int_equal(e->ecx, 1U << 31 | 1U << 24 | 1U << 21);
	assert_int_equal(e->edx, 1U << 28 | 1U << 9);
	assert_int_equal(leaf(c, 4, 0)->eax, 3U << 26 | 0x121);
	assert_int_equal(leaf(c, 4, 3)->eax, 3U << 26 | 3U << 14 | 0x163);
	assert_int_equal(leaf(c, 0xa, 0)->eax, 0);
	assert_int_equal(leaf(c, 7, 0)->ebx, 0xdeadbeef);
	e = leaf(c, 0xb, 0);
	assert_non_null(e);
	assert_int_equal(e->eax, 0);
	assert_int_equal(e->ebx, 1);
	assert_int_equal(e->ecx, 0x100);
	assert_int_equal(e->edx, 2);
	assert_true(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
	e = leaf(c, 0xb, 1);
	assert_int_equal(e->eax, 2);
	assert_int_equal(e->ebx, 3);
	assert_int_equal(e->ecx, 0x201);
	assert_int_equal(e->edx, 2);
	free(c);
}

static void test_cpuid_up_without_irqchip(void **state)
{
	struct vtx_cpuid_config config = { .index = 0, .cpus = 1, .tsc_deadline = true };
	struct vtx_cpuid *c = new_cpuid();

	(void)state;
	vtx_cpuid_adjust(c, &config);
	assert_int_equal(leaf(c, 1, 0)->ebx, 0x00015678);
	assert_int_equal(leaf(c, 1, 0)->ecx, 1U << 31);
	assert_int_equal(leaf(c, 1, 0)->edx, 0);
	assert_int_equal(leaf(c, 0xb, 1)->eax, 0);
	assert_int_equal(leaf(c, 4, 3)->eax, 0x163);
	free(c);
}

static void test_cpuid_full_list(void **state)
{
	struct vtx_cpuid_config config = { .index = 1, .cpus = 254, .has_irqchip = true };
	struct vtx_cpuid *c = new_cpuid();

	(void)state;
	c->entries[0].eax = 0x1f;
	while (c->nent < VTX_CPUID_MAX - 1)
		c->entries[c->nent++].function = 0x80000000;
	vtx_cpuid_adjust(c, &config);
	assert_int_equal(c->nent, VTX_CPUID_MAX);
	assert_int_equal(leaf(c, 4, 3)->eax >> 26, 63); /* six bits is all there is */
	free(c);
}

static void test_long_mode_entry(void **state)
{
	struct vtx_entry entry = { .mode = VTX_ENTRY_LONG, .rip = 0x1000200, .rsp = 0x80000, .rsi = 0x7000 };
	struct vtx_ram *ram = test_ram_new(2 * MIB);
	struct kvm_sregs s = { .apic_base = 0xfee00900 };
	struct kvm_regs r;
	struct vtx_error error;
	uint64_t gpa;

	(void)state;
	assert_int_equal(vtx_boot_tables(ram, VTX_ENTRY_LONG, &error), 0);
	vtx_boot_sregs(&entry, &s);
	vtx_boot_regs(&entry, &r);
	assert_int_equal(s.cr0 & 0x80000001, 0x80000001);
	assert_int_equal(s.efer, 0x500);
	assert_int_equal(s.cr4 & 0x20, 0x20);
	assert_int_equal(s.apic_base, 0xfee00900);
	assert_int_equal(s.cs.selector, 0x10);
	assert_true(s.cs.l && !s.cs.db);
	assert_int_equal(s.ss.selector, 0x18);
	assert_int_equal(r.rflags, 2);
	assert_int_equal(r.rip, 0x1000200);
	assert_int_equal(r.rsi, 0x7000);
	/* the descriptors say what the segment registers hold */
	assert_int_equal(test_get(vtx_ram_at(ram, s.gdt.base + 0x10, 8), 8), 0x00af9b000000ffff);
	assert_int_equal(test_get(vtx_ram_at(ram, s.gdt.base + 0x18, 8), 8), 0x00cf93000000ffff);
	assert_int_equal(test_get(vtx_ram_at(ram, s.gdt.base + 0x20, 8), 8), 0x00008b0000000067);
	/* the first 4 GiB map to themselves, and no more */
	for (uint64_t linear = 0; linear < 1ULL << 32; linear += 0x12345678) {
		assert_int_equal(vtx_walk(ram, &s, linear, &gpa), 0);
		assert_int_equal(gpa, linear);
	}
	assert_int_equal(vtx_walk(ram, &s, 0xffffffff, &gpa), 0);
	assert_int_equal(vtx_walk(ram, &s, 1ULL << 32, &gpa), -1);
	assert_int_equal(vtx_walk(ram, &s, 1ULL << 47, &gpa), -1);
	test_ram_free(ram);
}

static void test_protected_entry(void **state)
{
	struct vtx_entry entry = { .mode = VTX_ENTRY_PROTECTED, .rip = 0x1000100, .rbx = 0x6000 };
	struct vtx_ram *ram = test_ram_new(2 * MIB);
	struct kvm_sregs s = { .cr0 = 0x60000010, .cr4 = 0x2000, .efer = 0x500 };
	struct kvm_regs r;
	struct vtx_error error;

	(void)state;
	assert_int_equal(vtx_boot_tables(ram, VTX_ENTRY_PROTECTED, &error), 0);
	vtx_boot_sregs(&entry, &s);
	vtx_boot_regs(&entry, &r);
	assert_int_equal(s.cr0, 0x11);
	assert_int_equal(s.cr4, 0);
	assert_int_equal(s.efer, 0);
	assert_true(s.cs.db && !s.cs.l && s.cs.g && s.cs.limit == 0xffffffff);
	assert_int_equal(s.tr.limit, 0x67);
	assert_int_equal(r.rbx, 0x6000);
	assert_int_equal(test_get(vtx_ram_at(ram, s.gdt.base + 0x10, 8), 8), 0x00cf9b000000ffff);
	test_ram_free(ram);
}

static void test_real_entry(void **state)
{
	struct vtx_entry entry = { .mode = VTX_ENTRY_REAL, .cs = 0x1234, .rip = 5, .rsp = 0x7c00 };
	struct kvm_sregs s = { .cr0 = 0x60000010, .cs = { .base = 0xffff0000, .selector = 0xf000, .limit = 0xffff },
			       .ds = { .base = 5, .selector = 7, .limit = 0xffff } };

	(void)state;
	vtx_boot_sregs(&entry, &s);
	assert_int_equal(s.cr0, 0x10);
	assert_int_equal(s.cs.base, 0x12340);
	assert_int_equal(s.cs.selector, 0x1234);
	assert_int_equal(s.cs.limit, 0xffff);
	assert_int_equal(s.ds.base | s.ds.selector, 0);
}

static void test_walk_modes(void **state)
{
	struct vtx_ram *ram = test_ram_new(2 * MIB);
	struct kvm_sregs s = { .cr0 = 1 };
	uint64_t gpa;

	(void)state;
	/* no paging */
	assert_int_equal(vtx_walk(ram, &s, 0x123456789, &gpa), 0);
	assert_int_equal(gpa, 0x23456789);
	/* 32-bit: a 4 KiB page and a 4 MiB page with high bits */
	s = (struct kvm_sregs){ .cr0 = 0x80000001, .cr3 = 0x1000, .cr4 = 0x10 };
	test_put(vtx_ram_at(ram, 0x1000 + 4 * 1, 4), 0x2000 | 1, 4);
	test_put(vtx_ram_at(ram, 0x2000 + 4 * 3, 4), 0x55000 | 1, 4);
	test_put(vtx_ram_at(ram, 0x1000 + 4 * 2, 4), 0x00c02081, 4);
	assert_int_equal(vtx_walk(ram, &s, 0x00403abc, &gpa), 0);
	assert_int_equal(gpa, 0x55abc);
	assert_int_equal(vtx_walk(ram, &s, 0x00812345, &gpa), 0);
	assert_int_equal(gpa, 0x100c12345);
	assert_int_equal(vtx_walk(ram, &s, 0x00404000, &gpa), -1);
	assert_int_equal(vtx_walk(ram, &s, 0xf0000000, &gpa), -1);
	/* PAE: a 2 MiB page; bit 7 in a directory pointer means nothing */
	s = (struct kvm_sregs){ .cr0 = 0x80000001, .cr3 = 0x3020, .cr4 = 0x20 };
	test_put(vtx_ram_at(ram, 0x3020 + 8 * 3, 8), 0x4000 | 0x81, 8);
	test_put(vtx_ram_at(ram, 0x4000, 8), 0x40000081, 8);
	assert_int_equal(vtx_walk(ram, &s, 0xc0012345, &gpa), 0);
	assert_int_equal(gpa, 0x40012345);
	/* 4 levels: a 1 GiB page, and tables that lie outside memory */
	s = (struct kvm_sregs){ .cr0 = 0x80000001, .cr3 = 0x5000, .cr4 = 0x20, .efer = 0x500 };
	test_put(vtx_ram_at(ram, 0x5000 + 8 * 511, 8), 0x6001, 8);
	test_put(vtx_ram_at(ram, 0x6000, 8), 0x80000081, 8);
	test_put(vtx_ram_at(ram, 0x6008, 8), 0x000ffffffffff001, 8);
	assert_int_equal(vtx_walk(ram, &s, 0xffffff8012345678, &gpa), 0);
	assert_int_equal(gpa, 0x92345678);
	assert_int_equal(vtx_walk(ram, &s, 0xffffff8040000000, &gpa), -1);
	s.cr3 = 0xffffffffff000;
	assert_int_equal(vtx_walk(ram, &s, 0, &gpa), -1);
	/* 5 levels: one more table, for all entries itself */
	s.cr4 |= 0x1000;
	s.cr3 = 0x7000;
	test_put(vtx_ram_at(ram, 0x7000, 8), 0x7001, 8);
	assert_int_equal(vtx_walk(ram, &s, 0x123, &gpa), 0);
	assert_int_equal(gpa, 0x7123);
	test_ram_free(ram);
}

static void test_names_have_bounds(void **state)
{
	(void)state;
	assert_string_equal(vtx_name_kvm_exit(8), "shutdown (triple fault)");
	assert_string_equal(vtx_name_kvm_exit(13), "unknown"); /* another architecture's */
	assert_string_equal(vtx_name_kvm_exit(0xffffffff), "unknown");
	assert_string_equal(vtx_name_vmx_exit(0x80000021), "INVALID_STATE");
	assert_string_equal(vtx_name_vmx_exit(10), "CPUID");
	assert_string_equal(vtx_name_vmx_exit(0xffff), "unknown");
	assert_string_equal(vtx_name_vmx_instruction_error(7), "VM entry with invalid control fields");
	assert_string_equal(vtx_name_vmx_instruction_error(14), "unknown");
	assert_string_equal(vtx_name_vmx_instruction_error(UINT64_MAX), "unknown");
	assert_string_equal(vtx_name_internal_error(1), "an instruction could not be emulated");
	assert_string_equal(vtx_name_internal_error(0), "unknown");
	assert_string_equal(vtx_name_internal_error(1000), "unknown");
}

static void test_escape(void **state)
{
	struct vtx_escape e = { .seen = false };

	(void)state;
	assert_int_equal(vtx_escape_feed(&e, 'x'), VTX_ESCAPE_SEND);
	assert_int_equal(vtx_escape_feed(&e, 1), VTX_ESCAPE_NOTHING);
	assert_int_equal(vtx_escape_feed(&e, 1), VTX_ESCAPE_SEND);
	assert_int_equal(vtx_escape_feed(&e, 'x'), VTX_ESCAPE_SEND);
	assert_int_equal(vtx_escape_feed(&e, 1), VTX_ESCAPE_NOTHING);
	assert_int_equal(vtx_escape_feed(&e, 'z'), VTX_ESCAPE_NOTHING);
	assert_int_equal(vtx_escape_feed(&e, 'x'), VTX_ESCAPE_SEND);
	assert_int_equal(vtx_escape_feed(&e, 1), VTX_ESCAPE_NOTHING);
	assert_int_equal(vtx_escape_feed(&e, 'h'), VTX_ESCAPE_HELP);
	assert_int_equal(vtx_escape_feed(&e, 1), VTX_ESCAPE_NOTHING);
	assert_int_equal(vtx_escape_feed(&e, 'x'), VTX_ESCAPE_QUIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpuid_smp),
		cmocka_unit_test(test_cpuid_up_without_irqchip),
		cmocka_unit_test(test_cpuid_full_list),
		cmocka_unit_test(test_long_mode_entry),
		cmocka_unit_test(test_protected_entry),
		cmocka_unit_test(test_real_entry),
		cmocka_unit_test(test_walk_modes),
		cmocka_unit_test(test_names_have_bounds),
		cmocka_unit_test(test_escape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
