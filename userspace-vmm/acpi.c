// SPDX-License-Identifier: GPL-2.0-only
/* ACPI tables, built byte by byte from packed structures. */
#include "userspace-vmm/acpi.h"

#include <string.h>

#include "userspace-vmm/layout.h"

#define PACKED __attribute__((packed))

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} PACKED;

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} PACKED;

struct acpi_address {
	uint8_t space; /* 1: I/O ports */
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access_size; /* 1 byte, 2 word, 3 dword */
	uint64_t address;
} PACKED;

struct acpi_fadt {
	struct acpi_header header;
	uint32_t facs;
	uint32_t dsdt;
	uint8_t reserved1;
	uint8_t preferred_profile;
	uint16_t sci_interrupt;
	uint32_t smi_command;
	uint8_t acpi_enable, acpi_disable, s4bios_request, pstate_control;
	uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer, gpe0, gpe1;
	uint8_t pm1_event_length, pm1_control_length, pm2_control_length, pm_timer_length;
	uint8_t gpe0_length, gpe1_length, gpe1_base, cst_control;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_flags;
	uint8_t reserved2;
	uint32_t flags;
	struct acpi_address reset_register;
	uint8_t reset_value;
	uint8_t reserved3[3];
	uint64_t x_facs, x_dsdt;
	struct acpi_address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control, x_pm_timer;
	struct acpi_address x_gpe0, x_gpe1;
	struct acpi_address sleep_control, sleep_status;
} PACKED;

struct acpi_facs {
	char signature[4];
	uint32_t length;
	uint32_t hardware_signature;
	uint32_t waking_vector;
	uint32_t global_lock;
	uint32_t flags;
	uint64_t x_waking_vector;
	uint8_t version;
	uint8_t reserved[31];
} PACKED;

struct acpi_madt {
	struct acpi_header header;
	uint32_t lapic_address;
	uint32_t flags;
} PACKED;

struct madt_lapic {
	uint8_t type, length, processor_uid, apic_id;
	uint32_t flags;
} PACKED;

struct madt_ioapic {
	uint8_t type, length, id, reserved;
	uint32_t address, gsi_base;
} PACKED;

struct madt_override {
	uint8_t type, length, bus, source;
	uint32_t gsi;
	uint16_t flags;
} PACKED;

struct madt_lapic_nmi {
	uint8_t type, length, processor_uid;
	uint16_t flags;
	uint8_t lint;
} PACKED;

_Static_assert(sizeof(struct acpi_header) == 36, "ACPI 5.0, table 5-28");
_Static_assert(sizeof(struct acpi_rsdp) == 36, "ACPI 5.0, table 5-27");
_Static_assert(sizeof(struct acpi_fadt) == 268, "ACPI 5.0, table 5-34");
_Static_assert(sizeof(struct acpi_facs) == 64, "ACPI 5.0, table 5-36");

#define FADT_REVISION 5
#define FADT_PROFILE_UNSPECIFIED 0
#define FADT_WBINVD (1U << 0)
#define FADT_POWER_BUTTON_ABSENT (1U << 4) /* as a fixed feature */
#define FADT_SLEEP_BUTTON_ABSENT (1U << 5)
#define FADT_RESET_REGISTER (1U << 10)
#define FADT_BOOT_NO_VGA (1U << 2)
#define FADT_LATENCY_UNSUPPORTED_C2 101
#define FADT_LATENCY_UNSUPPORTED_C3 1001
#define CMOS_CENTURY 0x32
#define MADT_REVISION 3
#define MADT_PCAT_COMPAT 1
#define MADT_ENABLED 1
#define MADT_ACTIVE_HIGH_LEVEL 0xd

/*
 * The whole DSDT body: Name (\_S5, Package () { 5, 5, 0, 0 }), the value for SLP_TYP in S5 (ACPI 5.0, 7.3.4 and
 * 20.2: NameOp, root-relative path, PackageOp, length, element count, elements).
 */
static const uint8_t vtx_dsdt_body[] = {
	0x08, '_', 'S', '5', '_', 0x12, 0x08, 0x04, 0x0a, VTX_SLEEP_TYPE_S5, 0x0a, VTX_SLEEP_TYPE_S5, 0x00, 0x00,
};

struct builder {
	uint8_t *buffer;
	size_t size, used;
	uint64_t gpa;
};

uint8_t vtx_acpi_checksum(const uint8_t *data, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *data++);
	return (uint8_t)-sum;
}

/* LEN zeroed bytes at a multiple of ALIGN; NULL when the buffer is full. */
static void *vtx_take(struct builder *b, size_t len, size_t align)
{
	size_t at = (b->used + align - 1) & ~(align - 1);

	if (at > b->size || len > b->size - at)
		return NULL;
	b->used = at + len;
	memset(b->buffer + at, 0, len);
	return b->buffer + at;
}

static uint64_t vtx_gpa_of(const struct builder *b, const void *p)
{
	return b->gpa + (uint64_t)((const uint8_t *)p - b->buffer);
}

static void vtx_finish(struct acpi_header *h, const char *signature, uint8_t revision, size_t length)
{
	memcpy(h->signature, signature, 4);
	h->length = (uint32_t)length;
	h->revision = revision;
	memcpy(h->oem_id, "VTX   ", 6);
	memcpy(h->oem_table_id, "VTXVMM  ", 8);
	h->oem_revision = 1;
	memcpy(h->creator_id, "VTX ", 4);
	h->creator_revision = 1;
	h->checksum = 0;
	h->checksum = vtx_acpi_checksum((const uint8_t *)h, length);
}

static struct acpi_header *vtx_build_dsdt(struct builder *b)
{
	size_t len = sizeof(struct acpi_header) + sizeof(vtx_dsdt_body);
	struct acpi_header *h = vtx_take(b, len, 16);

	if (!h)
		return NULL;
	memcpy(h + 1, vtx_dsdt_body, sizeof(vtx_dsdt_body));
	vtx_finish(h, "DSDT", 2, len);
	return h;
}

static struct acpi_facs *vtx_build_facs(struct builder *b)
{
	struct acpi_facs *facs = vtx_take(b, sizeof(*facs), 64);

	if (!facs)
		return NULL;
	memcpy(facs->signature, "FACS", 4);
	facs->length = sizeof(*facs);
	facs->version = 2;
	return facs;
}

static struct acpi_address vtx_port(uint16_t port, uint8_t bytes, uint8_t access_size)
{
	return (struct acpi_address){
		.space = 1, .bit_width = (uint8_t)(bytes * 8), .access_size = access_size, .address = port,
	};
}

static struct acpi_header *vtx_build_fadt(struct builder *b, uint64_t facs, uint64_t dsdt)
{
	struct acpi_fadt *f = vtx_take(b, sizeof(*f), 16);

	if (!f)
		return NULL;
	f->facs = (uint32_t)facs;
	f->dsdt = (uint32_t)dsdt;
	f->x_dsdt = dsdt;
	f->preferred_profile = FADT_PROFILE_UNSPECIFIED;
	f->sci_interrupt = VTX_IRQ_SCI;
	f->pm1a_event = VTX_PORT_PM1A_EVENT;
	f->pm1_event_length = 4;
	f->x_pm1a_event = vtx_port(VTX_PORT_PM1A_EVENT, 4, 2);
	f->pm1a_control = VTX_PORT_PM1A_CONTROL;
	f->pm1_control_length = 2;
	f->x_pm1a_control = vtx_port(VTX_PORT_PM1A_CONTROL, 2, 2);
	f->c2_latency = FADT_LATENCY_UNSUPPORTED_C2;
	f->c3_latency = FADT_LATENCY_UNSUPPORTED_C3;
	f->century = CMOS_CENTURY;
	f->boot_flags = FADT_BOOT_NO_VGA;
	f->flags = FADT_WBINVD | FADT_POWER_BUTTON_ABSENT | FADT_SLEEP_BUTTON_ABSENT | FADT_RESET_REGISTER;
	f->reset_register = vtx_port(VTX_PORT_RESET, 1, 1);
	f->reset_value = 0x06;
	vtx_finish(&f->header, "FACP", FADT_REVISION, sizeof(*f));
	return &f->header;
}

static struct acpi_header *vtx_build_madt(struct builder *b, unsigned int cpus)
{
	size_t len = sizeof(struct acpi_madt) + cpus * sizeof(struct madt_lapic) + sizeof(struct madt_ioapic) +
		     sizeof(struct madt_override) + sizeof(struct madt_lapic_nmi);
	struct acpi_madt *madt = vtx_take(b, len, 16);
	struct madt_lapic *cpu;
	struct madt_ioapic *ioapic;
	struct madt_override *sci;
	struct madt_lapic_nmi *nmi;

	if (!madt)
		return NULL;
	madt->lapic_address = VTX_LAPIC_ADDR;
	madt->flags = MADT_PCAT_COMPAT;
	cpu = (struct madt_lapic *)(madt + 1);
	for (unsigned int i = 0; i < cpus; i++, cpu++)
		*cpu = (struct madt_lapic){
			.type = 0, .length = sizeof(*cpu), .processor_uid = (uint8_t)i, .apic_id = (uint8_t)i,
			.flags = MADT_ENABLED,
		};
	ioapic = (struct madt_ioapic *)cpu;
	*ioapic = (struct madt_ioapic){ .type = 1, .length = sizeof(*ioapic), .address = VTX_IOAPIC_ADDR };
	sci = (struct madt_override *)(ioapic + 1);
	*sci = (struct madt_override){
		.type = 2, .length = sizeof(*sci), .source = VTX_IRQ_SCI, .gsi = VTX_IRQ_SCI,
		.flags = MADT_ACTIVE_HIGH_LEVEL,
	};
	nmi = (struct madt_lapic_nmi *)(sci + 1);
	*nmi = (struct madt_lapic_nmi){ .type = 4, .length = sizeof(*nmi), .processor_uid = 0xff, .lint = 1 };
	vtx_finish(&madt->header, "APIC", MADT_REVISION, len);
	return &madt->header;
}

/* RSDT (4-byte pointers) or XSDT (8-byte pointers). */
static struct acpi_header *vtx_build_root(struct builder *b, const uint64_t *tables, unsigned int count, size_t width)
{
	size_t len = sizeof(struct acpi_header) + count * width;
	struct acpi_header *h = vtx_take(b, len, 16);

	if (!h)
		return NULL;
	for (unsigned int i = 0; i < count; i++) /* little endian: the low half comes first */
		memcpy((uint8_t *)(h + 1) + i * width, &tables[i], width);
	vtx_finish(h, width == 8 ? "XSDT" : "RSDT", 1, len);
	return h;
}

size_t vtx_acpi_build(uint8_t *buffer, size_t size, uint64_t gpa, unsigned int cpus)
{
	struct builder b = { .buffer = buffer, .size = size, .gpa = gpa };
	struct acpi_rsdp *rsdp = vtx_take(&b, sizeof(*rsdp), 16);
	struct acpi_header *dsdt = vtx_build_dsdt(&b), *fadt, *madt, *rsdt, *xsdt;
	struct acpi_facs *facs = vtx_build_facs(&b);
	uint64_t tables[2];

	if (!rsdp || !dsdt || !facs || cpus < 1 || cpus > VTX_MAX_CPUS)
		return 0;
	fadt = vtx_build_fadt(&b, vtx_gpa_of(&b, facs), vtx_gpa_of(&b, dsdt));
	madt = vtx_build_madt(&b, cpus);
	if (!fadt || !madt)
		return 0;
	tables[0] = vtx_gpa_of(&b, fadt);
	tables[1] = vtx_gpa_of(&b, madt);
	rsdt = vtx_build_root(&b, tables, 2, 4);
	xsdt = vtx_build_root(&b, tables, 2, 8);
	if (!rsdt || !xsdt)
		return 0;
	memcpy(rsdp->signature, "RSD PTR ", 8);
	memcpy(rsdp->oem_id, "VTX   ", 6);
	rsdp->revision = 2;
	rsdp->rsdt = (uint32_t)vtx_gpa_of(&b, rsdt);
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt = vtx_gpa_of(&b, xsdt);
	rsdp->checksum = vtx_acpi_checksum((const uint8_t *)rsdp, 20);
	rsdp->extended_checksum = vtx_acpi_checksum((const uint8_t *)rsdp, sizeof(*rsdp));
	return b.used;
}
