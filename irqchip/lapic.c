// SPDX-License-Identifier: GPL-2.0-only
/*
 * Local APIC: reset state, the register file through MMIO (xAPIC) and MSRs (x2APIC), and its save and restore.
 */
#include "compat/pure.h"
#include "irqchip/lapic.h"
#include "uapi/refuse.h"

/* ---------------------------------------------------------------- the register map */

enum {
	XR = BIT(0),	/* readable through MMIO */
	XW = BIT(1),	/* writable through MMIO */
	MR = BIT(2),	/* readable as x2APIC MSR */
	MW = BIT(3),	/* writable as x2APIC MSR */
};

struct rule {
	u8 access;
	u32 writable;	/* bits a write changes */
	u32 ignored;	/* further bits that an x2APIC write may set: read-only ones. All else is reserved: #GP. */
};

#define LVT_STATUS BIT(12)
#define LVT_REMOTE_IRR BIT(14)
#define ICR_STATUS BIT(12)
#define LVT_VECTOR 0xffu
#define LVT_MODE 0x700u
#define EIGHT_RO(first) \
	[(first) >> 4 ... ((first) >> 4) + 7] = { XR | MR, 0, 0 }

/* SDM vol. 3, tables 11-1 (xAPIC) and 11-6 (x2APIC), figures 11-8, 11-10, 11-12, 11-18, 11-23. */
static const struct rule rules[0x400 >> 4] = {
	[VTX_LAPIC_ID >> 4] = { XR | XW | MR, 0xff000000, 0 },
	[VTX_LAPIC_VERSION >> 4] = { XR | MR, 0, 0 },
	[VTX_LAPIC_TPR >> 4] = { XR | XW | MR | MW, 0xff, 0 },
	[VTX_LAPIC_APR >> 4] = { XR, 0, 0 },
	[VTX_LAPIC_PPR >> 4] = { XR | MR, 0, 0 },
	[VTX_LAPIC_EOI >> 4] = { XR | XW | MW, 0, 0 },
	[VTX_LAPIC_RRD >> 4] = { XR, 0, 0 },
	[VTX_LAPIC_LDR >> 4] = { XR | XW | MR, 0xff000000, 0 },
	[VTX_LAPIC_DFR >> 4] = { XR | XW, 0xf0000000, 0 },
	[VTX_LAPIC_SVR >> 4] = { XR | XW | MR | MW, 0x3ff, 0 },
	EIGHT_RO(VTX_LAPIC_ISR),
	EIGHT_RO(VTX_LAPIC_TMR),
	EIGHT_RO(VTX_LAPIC_IRR),
	[VTX_LAPIC_ESR >> 4] = { XR | XW | MR | MW, 0, 0 },
	/* Through MMIO even reserved bits of ICR read back as written, as in KVM; see write_register(). */
	[VTX_LAPIC_ICR >> 4] = { XR | XW | MR | MW, 0x000ccfff, ICR_STATUS },
	[VTX_LAPIC_ICR2 >> 4] = { XR | XW, 0xff000000, 0 },
	[VTX_LAPIC_LVTT >> 4] = { XR | XW | MR | MW, LVT_VECTOR | 0x70000, LVT_STATUS },
	[VTX_LAPIC_LVT_THERMAL >> 4] = { XR | XW | MR | MW, LVT_VECTOR | LVT_MODE | 0x10000, LVT_STATUS },
	[VTX_LAPIC_LVT_PERF >> 4] = { XR | XW | MR | MW, LVT_VECTOR | LVT_MODE | 0x10000, LVT_STATUS },
	[VTX_LAPIC_LINT0 >> 4] = { XR | XW | MR | MW, LVT_VECTOR | LVT_MODE | 0x1a000, LVT_STATUS | LVT_REMOTE_IRR },
	[VTX_LAPIC_LINT1 >> 4] = { XR | XW | MR | MW, LVT_VECTOR | LVT_MODE | 0x1a000, LVT_STATUS | LVT_REMOTE_IRR },
	[VTX_LAPIC_LVT_ERROR >> 4] = { XR | XW | MR | MW, LVT_VECTOR | 0x10000, LVT_STATUS },
	[VTX_LAPIC_TMICT >> 4] = { XR | XW | MR | MW, 0xffffffff, 0 },
	[VTX_LAPIC_TMCCT >> 4] = { XR | MR, 0, 0 },
	[VTX_LAPIC_TDCR >> 4] = { XR | XW | MR | MW, 0xb, 0 },
	[VTX_LAPIC_SELF_IPI >> 4] = { MW, 0xff, 0 },
};

static const u16 lvts[] = {
	VTX_LAPIC_LVTT, VTX_LAPIC_LVT_THERMAL, VTX_LAPIC_LVT_PERF,
	VTX_LAPIC_LINT0, VTX_LAPIC_LINT1, VTX_LAPIC_LVT_ERROR,
};

static const struct rule *rule_of(u32 offset)
{
	static const struct rule none;

	/* Masked as well, so that a mispredicted check reads nothing beyond the table. */
	return offset < 0x400 ? &rules[(offset >> 4) & 0x3f] : &none;
}

/* The writable bits of a register, which for some depend on what the guest's CPUID offers. */
static u32 writable(const struct vtx_lapic *apic, u32 offset)
{
	u32 mask = rule_of(offset)->writable;

	if (offset == VTX_LAPIC_LVTT && !apic->tsc_deadline_ok)
		mask &= ~BIT(18);
	return mask;
}

/*
 * An integrated xAPIC (0x14) with six LVT entries. EOI-broadcast suppression (bit 24) is not offered: neither our IOAPIC nor that of
 * most programs with a split irqchip has an EOI register, which a guest that suppresses the broadcast would need.
 */
#define VERSION (0x14 | (ARRAY_SIZE(lvts) - 1) << 16)

static u32 x2apic_ldr(u32 id)
{
	return ((id >> 4) << 16) | (1u << (id & 15));
}

/* ID and LDR of the mode in base. */
static void derive_ids(struct vtx_lapic *apic)
{
	if (vtx_lapic_x2apic(apic)) {
		vtx_lapic_put(apic, VTX_LAPIC_ID, apic->id);
		vtx_lapic_put(apic, VTX_LAPIC_LDR, x2apic_ldr(apic->id));
	} else {
		vtx_lapic_put(apic, VTX_LAPIC_ID, apic->id << 24);
	}
}

/* ---------------------------------------------------------------- life */

/* The registers whose effect depends on what they were before; see vtx_lapic_stored(). */
static const u16 settled[] = { VTX_LAPIC_LVTT, VTX_LAPIC_TMICT, VTX_LAPIC_TDCR };

static void settle(struct vtx_lapic *apic)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(settled); i++)
		apic->settled[i] = vtx_lapic_get(apic, settled[i]);
}

static void forget_posted(struct vtx_lapic *apic)
{
	unsigned int w;

	for (w = 0; w < 8; w++)
		WRITE_ONCE(apic->pir[w], 0);
}

/*
 * SDM vol. 3, 11.4.7.1. The id and base stay, at every moment: other CPUs look for the destination of their SIPI, which follows an
 * INIT at once, among the ids as they are.
 */
static void reset_registers(struct vtx_lapic *apic)
{
	unsigned int offset, i;

	forget_posted(apic);
	for (offset = 0; offset < 0x400; offset += 0x10) {
		if (offset == VTX_LAPIC_ID || (offset == VTX_LAPIC_LDR && vtx_lapic_x2apic(apic)))
			continue;
		vtx_lapic_put(apic, offset, 0);
	}
	vtx_lapic_put(apic, VTX_LAPIC_VERSION, VERSION);
	vtx_lapic_put(apic, VTX_LAPIC_DFR, 0xffffffff);
	vtx_lapic_put(apic, VTX_LAPIC_SVR, 0xff);
	for (i = 0; i < ARRAY_SIZE(lvts); i++)
		vtx_lapic_put(apic, lvts[i], VTX_LAPIC_LVT_MASKED);
	derive_ids(apic);
	WRITE_ONCE(apic->esr_pending, 0);
	memset(&apic->timer, 0, sizeof(apic->timer));
	settle(apic);
	vtx_lapic_rebuild_hints(apic);
}

void vtx_lapic_reset(struct vtx_lapic *apic, bool init)
{
	if (!init)
		WRITE_ONCE(apic->base, VTX_LAPIC_DEFAULT_BASE | VTX_LAPIC_BASE_ENABLE |
					       (apic->bsp ? VTX_LAPIC_BASE_BSP : 0));
	reset_registers(apic);
	if (!init && apic->bsp && apic->lint0_extint)
		vtx_lapic_put(apic, VTX_LAPIC_LINT0, VTX_APIC_EXTINT << 8);
}

void vtx_lapic_init(struct vtx_lapic *apic, u32 *regs, u32 id, bool bsp)
{
	*apic = (struct vtx_lapic){ .regs = regs, .id = id, .bsp = bsp, .lint0_extint = true,
				    .min_period_ns = VTX_LAPIC_MIN_PERIOD_NS };
	vtx_lapic_reset(apic, false);
}

/* The two mode bits of IA32_APIC_BASE: 0 disabled, 1 the invalid one, 2 xAPIC, 3 x2APIC. */
static unsigned int base_mode(u64 base)
{
	return (base >> 10) & 3;
}

int vtx_lapic_set_base(struct vtx_lapic *apic, u64 value, unsigned int maxphyaddr, bool host)
{
	unsigned int old = base_mode(apic->base), new = base_mode(value);
	u64 allowed = VTX_LAPIC_BASE_BSP | VTX_LAPIC_BASE_ENABLE;

	if (apic->x2apic_ok)
		allowed |= VTX_LAPIC_BASE_X2APIC;
	if (maxphyaddr < 32 || maxphyaddr > 52)
		maxphyaddr = 52;
	allowed |= GENMASK_ULL(maxphyaddr - 1, 12);
	if ((value & ~allowed) || new == 1)
		return -EINVAL;
	/* SDM vol. 3, figure 11-26: x2APIC is entered from xAPIC only, and left only by disabling. */
	if (!host && ((old == 3 && new == 2) || (old == 0 && new == 3)))
		return -EINVAL;

	WRITE_ONCE(apic->base, value);
	if (old == new)
		return 0;
	if (new == 0 && !host)
		reset_registers(apic);
	else
		derive_ids(apic);
	return 0;
}

/* ---------------------------------------------------------------- reading */

static u32 read_register(struct vtx_lapic *apic, u32 offset, u64 now_ns)
{
	switch (offset) {
	case VTX_LAPIC_PPR:
		return vtx_lapic_ppr(apic);
	case VTX_LAPIC_IRR ... VTX_LAPIC_IRR + 0x70:
		return vtx_lapic_irr_word(apic, (offset - VTX_LAPIC_IRR) >> 4);
	case VTX_LAPIC_TMCCT:
		return vtx_lapic_current_count(apic, now_ns);
	case VTX_LAPIC_APR:
	case VTX_LAPIC_RRD:
	case VTX_LAPIC_EOI:
		return 0;
	default:
		return vtx_lapic_get(apic, offset);
	}
}

u64 vtx_lapic_mmio_read(struct vtx_lapic *apic, u32 offset, unsigned int len, u64 now_ns)
{
	unsigned int byte = offset & 0xf;
	u64 value;

	offset &= 0xff0;
	if (!(rule_of(offset)->access & XR)) {
		vtx_lapic_error(apic, VTX_LAPIC_ERR_REGISTER);
		return 0;
	}
	if (byte > 3) /* the other 12 bytes of each 16 are undefined */
		return 0;
	value = (u64)read_register(apic, offset, now_ns) >> (8 * byte);
	return len < 8 ? value & ((1ull << (8 * len)) - 1) : value;
}

int vtx_lapic_msr_read(struct vtx_lapic *apic, u32 msr, u64 *value, u64 now_ns)
{
	u32 offset = (msr - VTX_LAPIC_MSR_BASE) << 4;

	if (msr < VTX_LAPIC_MSR_BASE || msr > VTX_LAPIC_MSR_LAST || !vtx_lapic_x2apic(apic) ||
	    !(rule_of(offset)->access & MR))
		return -EINVAL;
	*value = read_register(apic, offset, now_ns);
	if (offset == VTX_LAPIC_ICR)
		*value |= (u64)vtx_lapic_get(apic, VTX_LAPIC_ICR2) << 32;
	return 0;
}

/* ---------------------------------------------------------------- writing */

/* The ICR was written: check what is sent, as the sender's APIC does, and hand it to the caller. */
static void send(struct vtx_lapic *apic, const struct vtx_apic_msg *msg, struct vtx_lapic_fx *fx)
{
	switch (msg->mode) {
	case VTX_APIC_FIXED:
	case VTX_APIC_LOWEST:
		if (msg->vector < 16) {
			vtx_lapic_error(apic, VTX_LAPIC_ERR_SEND_VECTOR);
			return;
		}
		break;
	case VTX_APIC_SMI:
	case VTX_APIC_NMI:
	case VTX_APIC_STARTUP:
		break;
	case VTX_APIC_INIT_MODE:
		/* INIT level de-assert: a no-op since the Pentium 4 (SDM vol. 3, 11.6.1). */
		if (msg->level && !msg->assert)
			return;
		break;
	default: /* reserved, and ExtINT, which an IPI cannot be */
		return;
	}
	fx->msg = *msg;
	fx->what |= VTX_LAPIC_FX_SEND;
}

static void write_svr(struct vtx_lapic *apic, u32 value, struct vtx_lapic_fx *fx)
{
	unsigned int i;

	vtx_lapic_put(apic, VTX_LAPIC_SVR, value);
	if (value & VTX_LAPIC_SVR_ENABLE)
		return;
	/* Disabled by software: all LVT mask bits are set (SDM vol. 3, 11.4.7.2). */
	for (i = 0; i < ARRAY_SIZE(lvts); i++)
		vtx_lapic_put(apic, lvts[i], vtx_lapic_get(apic, lvts[i]) | VTX_LAPIC_LVT_MASKED);
	fx->what |= VTX_LAPIC_FX_LINT0;
}

/* @value has no bit that the register does not have. */
static void write_register(struct vtx_lapic *apic, u32 offset, u32 value, u64 now_ns, struct vtx_lapic_fx *fx)
{
	struct vtx_apic_msg msg;
	bool x2apic = vtx_lapic_x2apic(apic);

	switch (offset) {
	case VTX_LAPIC_EOI:
		vtx_lapic_eoi(apic, fx);
		break;
	case VTX_LAPIC_DFR:
		vtx_lapic_put(apic, offset, value | 0x0fffffff);
		break;
	case VTX_LAPIC_SVR:
		write_svr(apic, value, fx);
		break;
	case VTX_LAPIC_ESR:
		vtx_lapic_put(apic, offset, __atomic_exchange_n(&apic->esr_pending, 0, __ATOMIC_SEQ_CST));
		break;
	case VTX_LAPIC_ICR:
		vtx_lapic_put(apic, offset, value);
		vtx_apic_msg_from_icr(&msg, value, vtx_lapic_get(apic, VTX_LAPIC_ICR2), x2apic);
		send(apic, &msg, fx);
		break;
	case VTX_LAPIC_SELF_IPI:
		msg = (struct vtx_apic_msg){ .vector = value, .shorthand = VTX_APIC_SELF };
		send(apic, &msg, fx);
		break;
	case VTX_LAPIC_LVTT:
		vtx_lapic_write_lvtt(apic, value);
		fx->what |= VTX_LAPIC_FX_TIMER;
		break;
	case VTX_LAPIC_TMICT:
		vtx_lapic_write_tmict(apic, value, now_ns);
		fx->what |= VTX_LAPIC_FX_TIMER;
		break;
	case VTX_LAPIC_TDCR:
		vtx_lapic_write_tdcr(apic, value, now_ns);
		fx->what |= VTX_LAPIC_FX_TIMER;
		break;
	case VTX_LAPIC_LINT0:
		fx->what |= VTX_LAPIC_FX_LINT0;
		vtx_lapic_put(apic, offset, value);
		break;
	default:
		vtx_lapic_put(apic, offset, value);
		break;
	}
	if (apic->apicv)
		settle(apic);
}

static bool is_lvt(u32 offset)
{
	return offset >= VTX_LAPIC_LVTT && offset <= VTX_LAPIC_LVT_ERROR;
}

/* While disabled by software, LVT mask bits cannot be cleared. */
static u32 forced_bits(const struct vtx_lapic *apic, u32 offset)
{
	if (is_lvt(offset) && !(vtx_lapic_get(apic, VTX_LAPIC_SVR) & VTX_LAPIC_SVR_ENABLE))
		return VTX_LAPIC_LVT_MASKED;
	return 0;
}

void vtx_lapic_mmio_write(struct vtx_lapic *apic, u32 offset, unsigned int len, u64 value, u64 now_ns,
			  struct vtx_lapic_fx *fx)
{
	u32 mask;

	fx->what = 0;
	if (len < 4 || (offset & 0xf))
		return;
	if (!(rule_of(offset)->access & XW)) {
		vtx_lapic_error(apic, VTX_LAPIC_ERR_REGISTER);
		return;
	}
	mask = offset == VTX_LAPIC_ICR ? ~(u32)ICR_STATUS : writable(apic, offset);
	write_register(apic, offset, ((u32)value & mask) | forced_bits(apic, offset), now_ns, fx);
}

int vtx_lapic_msr_write(struct vtx_lapic *apic, u32 msr, u64 value, u64 now_ns, struct vtx_lapic_fx *fx)
{
	u32 offset = (msr - VTX_LAPIC_MSR_BASE) << 4;
	u32 mask;

	fx->what = 0;
	if (msr < VTX_LAPIC_MSR_BASE || msr > VTX_LAPIC_MSR_LAST || !vtx_lapic_x2apic(apic) ||
	    !(rule_of(offset)->access & MW))
		return -EINVAL;
	mask = writable(apic, offset);
	if ((u32)value & ~(mask | rule_of(offset)->ignored))
		return -EINVAL;
	if (offset == VTX_LAPIC_ICR)
		vtx_lapic_put(apic, VTX_LAPIC_ICR2, value >> 32);
	else if (value >> 32)
		return -EINVAL;
	write_register(apic, offset, ((u32)value & mask) | forced_bits(apic, offset), now_ns, fx);
	return 0;
}

/* ---------------------------------------------------------------- a processor that virtualizes the APIC */

void vtx_lapic_set_apicv(struct vtx_lapic *apic, bool on)
{
	WRITE_ONCE(apic->apicv, on);
	settle(apic);
	vtx_lapic_rebuild_hints(apic);
}

void vtx_lapic_stored(struct vtx_lapic *apic, u32 offset, u64 now_ns, struct vtx_lapic_fx *fx)
{
	u32 value;
	unsigned int i;

	offset &= 0xff0;
	value = vtx_lapic_get(apic, offset);
	for (i = 0; i < ARRAY_SIZE(settled); i++)
		if (offset == settled[i])
			vtx_lapic_put(apic, offset, apic->settled[i]);
	if (offset == VTX_LAPIC_SELF_IPI)	/* x2APIC: a vector that cannot be sent */
		vtx_lapic_msr_write(apic, VTX_LAPIC_MSR_BASE + (offset >> 4), value & 0xff, now_ns, fx);
	else
		vtx_lapic_mmio_write(apic, offset, 4, value, now_ns, fx);
}

bool vtx_lapic_msr_direct(u32 msr, bool write)
{
	u32 offset = (msr - VTX_LAPIC_MSR_BASE) << 4;

	if (msr < VTX_LAPIC_MSR_BASE || msr > VTX_LAPIC_MSR_LAST)
		return false;
	if (write)
		return offset == VTX_LAPIC_TPR || offset == VTX_LAPIC_EOI || offset == VTX_LAPIC_SELF_IPI;
	/* The high half of ICR is not where the processor would look, and the timer's count is nowhere. */
	return (rule_of(offset)->access & MR) && offset != VTX_LAPIC_ICR && offset != VTX_LAPIC_TMCCT;
}

/* ---------------------------------------------------------------- save and restore */

static u32 state_get(const struct kvm_lapic_state *state, unsigned int offset)
{
	u32 value;

	memcpy(&value, &state->regs[offset], sizeof(value));
	return value;
}

static void state_put(struct kvm_lapic_state *state, unsigned int offset, u32 value)
{
	memcpy(&state->regs[offset], &value, sizeof(value));
}

void vtx_lapic_get_state(struct vtx_lapic *apic, struct kvm_lapic_state *state, u64 now_ns, bool wide_ids)
{
	unsigned int offset;

	memset(state, 0, sizeof(*state));
	for (offset = 0; offset < 0x400; offset += 0x10)
		if (rules[offset >> 4].access & XR)
			state_put(state, offset, read_register(apic, offset, now_ns));
	if (vtx_lapic_x2apic(apic) && !wide_ids)
		state_put(state, VTX_LAPIC_ID, apic->id << 24);
}

/* What a register may hold, when user space fills it. */
static u32 sanitise(const struct vtx_lapic *apic, unsigned int offset, u32 value)
{
	if (offset >= VTX_LAPIC_ISR && offset < VTX_LAPIC_ESR)
		return value; /* vectors 0..15 as well: their class is never above that of the PPR */
	switch (offset) {
	case VTX_LAPIC_VERSION:
		return VERSION;
	case VTX_LAPIC_DFR:
		return value | 0x0fffffff;
	case VTX_LAPIC_ESR:
		return value & 0xff;
	case VTX_LAPIC_ICR:
		return value & ~(u32)ICR_STATUS;
	case VTX_LAPIC_ICR2:
		return vtx_lapic_x2apic(apic) ? value : value & 0xff000000;
	default:
		/*
		 * LVT mask bits stay as they are even with the APIC disabled by software: so does RESET leave LINT0
		 * of the bootstrap processor, and VMMs hand that state back.
		 */
		return value & writable(apic, offset);
	}
}

int vtx_lapic_set_state(struct vtx_lapic *apic, const struct kvm_lapic_state *state, u64 now_ns, bool wide_ids)
{
	u32 id = state_get(state, VTX_LAPIC_ID);
	bool x2apic = vtx_lapic_x2apic(apic);
	unsigned int offset;

	if (x2apic && (wide_ids ? id : id >> 24) != apic->id)
		return VTX_REFUSE(LAPIC_ID, VTX_LAPIC_ID, id, wide_ids ? apic->id : apic->id << 24);

	forget_posted(apic);
	for (offset = 0; offset < 0x400; offset += 0x10)
		if (rules[offset >> 4].access & XR)
			vtx_lapic_put(apic, offset, sanitise(apic, offset, state_get(state, offset)));
	if (x2apic)
		derive_ids(apic);
	WRITE_ONCE(apic->esr_pending, 0);
	settle(apic);
	vtx_lapic_rebuild_hints(apic);
	vtx_lapic_restore_timer(apic, state_get(state, VTX_LAPIC_TMCCT), now_ns);
	return 0;
}
