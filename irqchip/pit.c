// SPDX-License-Identifier: GPL-2.0-only
/*
 * 8254 timer: control words, counter latch and read-back, modes 0 to 5, and the output edges of counter 0 (Intel 8254
 * datasheet).
 *
 * modulus() is the only divisor that a guest or user space influences, and it is never zero.
 */
#include "compat/pure.h"
#include "irqchip/pit.h"

#define NS_PER_S 1000000000u

/* read_state, write_state, rw_mode and count_latched share these values with KVM's structure. */
enum { RW_LOW = 1, RW_HIGH = 2, RW_WORD_LOW = 3, RW_WORD_HIGH = 4 };

#define MODE_UNSET 0xff

static u64 ticks_in(u64 ns)
{
	return mul_u64_u64_div_u64(ns, VTX_PIT_HZ, NS_PER_S);
}

/* The first nanosecond at which @ticks have passed. Bounded so that the quotient fits. */
static u64 ns_until(u64 ticks)
{
	if (ticks > 1ull << 54)
		ticks = 1ull << 54;
	return mul_u64_u64_div_u64(ticks, NS_PER_S, VTX_PIT_HZ) + 1;
}

static u64 modulus(const struct kvm_pit_channel_state *s)
{
	u32 full = s->bcd ? 10000 : 0x10000;

	return s->count && s->count <= full ? s->count : full;
}

static u64 elapsed(const struct vtx_pit_channel *ch, u64 now_ns)
{
	u64 load = ch->s.count_load_time > 0 ? ch->s.count_load_time : 0;

	if (ch->paused)
		return ch->paused_ticks;
	return now_ns > load ? ticks_in(now_ns - load) : 0;
}

static u32 counter_value(const struct vtx_pit_channel *ch, u64 now_ns)
{
	u64 m = modulus(&ch->s), d = ch->counting ? elapsed(ch, now_ns) : 0;
	u64 full = ch->s.bcd ? 10000 : 0x10000;

	switch (ch->s.mode) {
	case 0:
	case 1:
	case 4:
	case 5: /* runs through zero and on from the top */
		return (m + full - d % full) % full;
	case 3: /* counts by two; the value repeats in each half of the square wave */
		return (m - (2 * d) % m) % full;
	default:
		return (m - d % m) % full;
	}
}

static u16 to_bcd(u32 value)
{
	return value % 10 | (value / 10 % 10) << 4 | (value / 100 % 10) << 8 | (value / 1000 % 10) << 12;
}

static u32 from_bcd(u16 value)
{
	/* Digits above 9 are not defined by the datasheet; they must only stay within the counter. */
	return ((value & 15) + (value >> 4 & 15) * 10 + (value >> 8 & 15) * 100 + (value >> 12) * 1000) % 10000;
}

u16 vtx_pit_count(const struct vtx_pit *pit, unsigned int channel, u64 now_ns)
{
	const struct vtx_pit_channel *ch = &pit->ch[channel];
	u32 value = counter_value(ch, now_ns);

	return ch->s.bcd ? to_bcd(value) : (u16)value;
}

bool vtx_pit_output(const struct vtx_pit *pit, unsigned int channel, u64 now_ns)
{
	const struct vtx_pit_channel *ch = &pit->ch[channel];
	u64 m = modulus(&ch->s), d = elapsed(ch, now_ns);

	if (!ch->counting)
		return ch->s.mode != 0;
	switch (ch->s.mode) {
	case 0:
	case 1:
		return d >= m;
	case 2: /* low for the last tick of each round; held high while the gate is low */
		return ch->paused || d % m != m - 1;
	case 3: /* high for the longer half */
		return ch->paused || d % m < (m + 1) / 2;
	case 4:
	case 5: /* low for the tick in which zero is reached */
		return d != m;
	default:
		return true;
	}
}

static void start(struct vtx_pit_channel *ch, u64 now_ns)
{
	ch->s.count_load_time = now_ns;
	ch->counting = true;
	ch->paused = !ch->s.gate && ch->s.mode != 1 && ch->s.mode != 5;
	ch->paused_ticks = 0;
}

static void load(struct vtx_pit_channel *ch, u16 value, u64 now_ns)
{
	u32 full = ch->s.bcd ? 10000 : 0x10000;
	u32 count = ch->s.bcd ? from_bcd(value) : value;

	ch->s.count = count ? count : full;
	/* Modes 1 and 5 wait for the gate to rise; all others start with the count. */
	if (ch->s.mode != 1 && ch->s.mode != 5)
		start(ch, now_ns);
}

static void set_gate(struct vtx_pit_channel *ch, bool gate, u64 now_ns)
{
	bool rises = gate && !ch->s.gate, falls = !gate && ch->s.gate;

	ch->s.gate = gate;
	switch (ch->s.mode) {
	case 1:
	case 5: /* the gate triggers */
		if (rises)
			start(ch, now_ns);
		break;
	case 2:
	case 3: /* the gate stops, and starts from the beginning */
		if (rises && ch->counting) {
			start(ch, now_ns);
		} else if (falls && ch->counting) {
			ch->paused = true;
			ch->paused_ticks = 0;
		}
		break;
	default: /* modes 0 and 4: the gate stops and goes on */
		if (falls && ch->counting) {
			ch->paused_ticks = elapsed(ch, now_ns);
			ch->paused = true;
		} else if (rises && ch->paused) {
			u64 ran = ns_until(ch->paused_ticks);

			ch->s.count_load_time = now_ns > ran ? now_ns - ran : 0;
			ch->paused = false;
		}
		break;
	}
}

static void latch_count(const struct vtx_pit *pit, struct vtx_pit_channel *ch, unsigned int channel, u64 now_ns)
{
	if (ch->s.count_latched)
		return;
	ch->s.latched_count = vtx_pit_count(pit, channel, now_ns);
	ch->s.count_latched = ch->s.rw_mode;
}

static void read_back(struct vtx_pit *pit, u8 command, u64 now_ns)
{
	unsigned int i;

	for (i = 0; i < VTX_PIT_CHANNELS; i++) {
		struct vtx_pit_channel *ch = &pit->ch[i];

		if (!(command & (2 << i)))
			continue;
		if (!(command & 0x20))
			latch_count(pit, ch, i, now_ns);
		if (!(command & 0x10) && !ch->s.status_latched) {
			ch->s.status = vtx_pit_output(pit, i, now_ns) << 7 | !ch->counting << 6 |
				       (ch->s.rw_mode & 3) << 4 | (ch->s.mode & 7) << 1 | ch->s.bcd;
			ch->s.status_latched = 1;
		}
	}
}

static void write_control(struct vtx_pit *pit, u8 value, u64 now_ns)
{
	unsigned int channel = value >> 6, access = (value >> 4) & 3, mode = (value >> 1) & 7;
	struct vtx_pit_channel *ch;

	if (channel == 3) {
		read_back(pit, value, now_ns);
		return;
	}
	ch = &pit->ch[channel];
	if (!access) {
		latch_count(pit, ch, channel, now_ns);
		return;
	}
	ch->s.rw_mode = access;
	ch->s.read_state = access;
	ch->s.write_state = access;
	ch->s.count_latched = 0;
	ch->s.mode = mode > 5 ? mode - 4 : mode;
	ch->s.bcd = value & 1;
	ch->s.count = modulus(&ch->s); /* within the new number system */
	ch->counting = false;
	ch->paused = false;
}

void vtx_pit_write(struct vtx_pit *pit, unsigned int index, u8 value, u64 now_ns)
{
	struct vtx_pit_channel *ch;

	if (index >= VTX_PIT_CHANNELS) {
		write_control(pit, value, now_ns);
		return;
	}
	ch = &pit->ch[index];
	switch (ch->s.write_state) {
	case RW_HIGH:
		load(ch, (u16)value << 8, now_ns);
		break;
	case RW_WORD_LOW:
		ch->s.write_latch = value;
		ch->s.write_state = RW_WORD_HIGH;
		if (ch->s.mode == 0)
			ch->counting = false; /* the first byte stops the count */
		break;
	case RW_WORD_HIGH:
		ch->s.write_state = RW_WORD_LOW;
		load(ch, ch->s.write_latch | (u16)value << 8, now_ns);
		break;
	default:
		load(ch, value, now_ns);
		break;
	}
}

static u8 read_latched(struct kvm_pit_channel_state *s)
{
	switch (s->count_latched) {
	case RW_HIGH:
		s->count_latched = 0;
		return s->latched_count >> 8;
	case RW_WORD_LOW:
		s->count_latched = RW_HIGH;
		return (u8)s->latched_count;
	default:
		s->count_latched = 0;
		return (u8)s->latched_count;
	}
}

u8 vtx_pit_read(struct vtx_pit *pit, unsigned int index, u64 now_ns)
{
	struct kvm_pit_channel_state *s;
	u16 count;

	if (index >= VTX_PIT_CHANNELS)
		return 0;
	s = &pit->ch[index].s;
	if (s->status_latched) {
		s->status_latched = 0;
		return s->status;
	}
	if (s->count_latched)
		return read_latched(s);
	count = vtx_pit_count(pit, index, now_ns);
	switch (s->read_state) {
	case RW_HIGH:
		return count >> 8;
	case RW_WORD_LOW:
		s->read_state = RW_WORD_HIGH;
		return (u8)count;
	case RW_WORD_HIGH:
		s->read_state = RW_WORD_LOW;
		return count >> 8;
	default:
		return (u8)count;
	}
}

u8 vtx_pit_speaker_read(struct vtx_pit *pit, u64 now_ns)
{
	unsigned int refresh = (now_ns >> 14) & 1; /* toggles about every 15 us */

	return pit->ch[2].s.gate | pit->speaker_on << 1 | refresh << 4 | vtx_pit_output(pit, 2, now_ns) << 5;
}

void vtx_pit_speaker_write(struct vtx_pit *pit, u8 value, u64 now_ns)
{
	pit->speaker_on = (value >> 1) & 1;
	set_gate(&pit->ch[2], value & 1, now_ns);
}

/* ---------------------------------------------------------------- counter 0's edges */

/* How many rising edges came within the first @ticks of the round. */
static u64 edges_within(const struct vtx_pit_channel *ch, u64 ticks)
{
	u64 m = modulus(&ch->s);

	switch (ch->s.mode) {
	case 0:
		return ticks >= m;
	case 2:
	case 3:
		return ticks / m;
	case 4:
		return ticks > m;
	default: /* modes 1 and 5 want a trigger, and counter 0's gate never moves */
		return 0;
	}
}

static bool interrupts(const struct vtx_pit *pit)
{
	return pit->ch[0].counting && !pit->ch[0].paused && !(pit->flags & KVM_PIT_FLAGS_HPET_LEGACY);
}

u64 vtx_pit_edges(const struct vtx_pit *pit, u64 from_ns, u64 to_ns)
{
	const struct vtx_pit_channel *ch = &pit->ch[0];

	if (!interrupts(pit) || to_ns <= from_ns)
		return 0;
	return edges_within(ch, elapsed(ch, to_ns)) - edges_within(ch, elapsed(ch, from_ns));
}

u64 vtx_pit_period_ns(const struct vtx_pit *pit)
{
	const struct kvm_pit_channel_state *s = &pit->ch[0].s;

	return s->mode == 2 || s->mode == 3 ? modulus(s) * NS_PER_S / VTX_PIT_HZ : 0;
}

u64 vtx_pit_next_edge(const struct vtx_pit *pit, u64 after_ns)
{
	const struct vtx_pit_channel *ch = &pit->ch[0];
	u64 m = modulus(&ch->s), d, tick;

	if (!interrupts(pit))
		return 0;
	d = elapsed(ch, after_ns);
	switch (ch->s.mode) {
	case 0:
		tick = m;
		break;
	case 2:
	case 3:
		tick = (d / m + 1) * m;
		break;
	case 4:
		tick = m + 1;
		break;
	default:
		return 0;
	}
	if (tick <= d)
		return 0;
	return (ch->s.count_load_time > 0 ? (u64)ch->s.count_load_time : 0) + ns_until(tick);
}

/* ---------------------------------------------------------------- life, save and restore */

void vtx_pit_reset(struct vtx_pit *pit, u64 now_ns)
{
	unsigned int i;

	memset(pit, 0, sizeof(*pit));
	for (i = 0; i < VTX_PIT_CHANNELS; i++) {
		struct kvm_pit_channel_state *s = &pit->ch[i].s;

		s->mode = MODE_UNSET;
		s->gate = i != 2;
		s->count = 0x10000;
		s->count_load_time = now_ns;
	}
}

void vtx_pit_get_state(const struct vtx_pit *pit, struct kvm_pit_state2 *state)
{
	unsigned int i;

	memset(state, 0, sizeof(*state));
	for (i = 0; i < VTX_PIT_CHANNELS; i++)
		state->channels[i] = pit->ch[i].s;
	state->flags = pit->flags;
	if (pit->speaker_on)
		state->flags |= KVM_PIT_FLAGS_SPEAKER_DATA_ON;
}

static void set_channel(struct vtx_pit_channel *ch, const struct kvm_pit_channel_state *s, u64 now_ns)
{
	*ch = (struct vtx_pit_channel){ .s = *s };
	if (ch->s.mode > 5)
		ch->s.mode = MODE_UNSET;
	ch->s.bcd = !!ch->s.bcd;
	ch->s.gate = !!ch->s.gate;
	ch->s.count = modulus(&ch->s);
	ch->s.rw_mode &= 3;
	ch->s.count_latched &= 3;
	ch->s.status_latched = !!ch->s.status_latched;
	if (ch->s.read_state > RW_WORD_HIGH)
		ch->s.read_state = 0;
	if (ch->s.write_state > RW_WORD_HIGH)
		ch->s.write_state = 0;
	if (ch->s.count_load_time < 0 || (u64)ch->s.count_load_time > now_ns)
		ch->s.count_load_time = now_ns;
	ch->counting = ch->s.mode != MODE_UNSET;
	if (ch->counting && !ch->s.gate && ch->s.mode != 1 && ch->s.mode != 5) {
		ch->paused_ticks = elapsed(ch, now_ns);
		ch->paused = true;
	}
}

void vtx_pit_set_state(struct vtx_pit *pit, const struct kvm_pit_state2 *state, u64 now_ns)
{
	unsigned int i;

	for (i = 0; i < VTX_PIT_CHANNELS; i++)
		set_channel(&pit->ch[i], &state->channels[i], now_ns);
	/* Counter 0's gate is wired high. */
	pit->ch[0].s.gate = 1;
	pit->ch[0].paused = false;
	pit->ch[0].s.count_load_time = now_ns;
	pit->flags = state->flags & KVM_PIT_FLAGS_HPET_LEGACY;
	pit->speaker_on = !!(state->flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON);
}
