// SPDX-License-Identifier: GPL-2.0-only
/*
 * 8259A pair: request, mask and in-service registers, priorities, ICWs and OCWs, poll, special mask mode (Intel 8259A
 * datasheet; ELCR from the 82371 PIIX datasheet).
 *
 * The slave's INT output is wired to the master's IR2 and modelled as a level: IR2's request bit is the slave's
 * output.
 */
#include "compat/pure.h"
#include "irqchip/pic.h"

#define MASTER 0
#define SLAVE 1
#define CASCADE 2
#define NONE -1

static u8 bit8(unsigned int n)
{
	return (u8)(1u << n);
}

/* The highest-priority set bit of @bits, as distance from the top priority; 8 when there is none. */
static unsigned int rank(const struct kvm_pic_state *chip, u8 bits)
{
	unsigned int distance;

	for (distance = 0; distance < 8; distance++)
		if (bits & bit8((distance + chip->priority_add) & 7))
			break;
	return distance;
}

static unsigned int line_at(const struct kvm_pic_state *chip, unsigned int distance)
{
	return (distance + chip->priority_add) & 7;
}

/* The request that the chip would present: IR number, or NONE. */
static int requested(const struct kvm_pic_state *chip, bool master)
{
	unsigned int request = rank(chip, chip->irr & ~chip->imr);
	u8 serving = chip->isr;

	if (request == 8)
		return NONE;
	/* Special mask mode: a masked level in service does not hold others back. */
	if (chip->special_mask)
		serving &= ~chip->imr;
	/* Special fully nested mode: the slave in service does not hold its own further requests back. */
	if (chip->special_fully_nested_mode && master)
		serving &= ~bit8(CASCADE);
	return request < rank(chip, serving) ? (int)line_at(chip, request) : NONE;
}

/* Lets the master's IR2 follow the slave's output. */
static void cascade(struct vtx_pic *pic)
{
	struct kvm_pic_state *master = &pic->chip[MASTER];

	if (requested(&pic->chip[SLAVE], false) != NONE)
		master->irr |= bit8(CASCADE);
	else
		master->irr &= ~bit8(CASCADE);
}

bool vtx_pic_output(const struct vtx_pic *pic)
{
	return requested(&pic->chip[MASTER], true) != NONE;
}

int vtx_pic_set_line(struct vtx_pic *pic, unsigned int line, unsigned int source, bool level)
{
	struct kvm_pic_state *chip = &pic->chip[line / 8];
	u8 bit = bit8(line & 7);
	int ret = 1;

	if (level)
		pic->sources[line] |= bit8(source);
	else
		pic->sources[line] &= ~bit8(source);
	if (line == CASCADE) /* the slave's wire; nobody else can drive it */
		return -1;
	level = pic->sources[line];

	if (!level) {
		chip->last_irr &= ~bit;
		if (chip->elcr & bit)
			chip->irr &= ~bit;
	} else {
		if ((chip->elcr & bit) || !(chip->last_irr & bit)) {
			ret = !(chip->irr & bit);
			chip->irr |= bit;
		} else {
			ret = 0; /* the line was high already: no edge */
		}
		chip->last_irr |= bit;
		if (chip->imr & bit)
			ret = -1;
	}
	cascade(pic);
	return ret;
}

static void end_service(struct vtx_pic *pic, unsigned int index, u8 lines)
{
	pic->chip[index].isr &= ~lines;
	pic->ended |= (u16)lines << (8 * index);
}

static void acknowledge(struct vtx_pic *pic, unsigned int index, unsigned int ir)
{
	struct kvm_pic_state *chip = &pic->chip[index];

	if (!(chip->elcr & bit8(ir)))
		chip->irr &= ~bit8(ir);
	if (!chip->auto_eoi) {
		chip->isr |= bit8(ir);
		return;
	}
	if (chip->rotate_on_auto_eoi)
		chip->priority_add = (ir + 1) & 7;
	end_service(pic, index, bit8(ir));
}

/* One chip answers an INTA or a poll: takes its request, or IR7 when it has none any more. */
static unsigned int take(struct vtx_pic *pic, unsigned int index)
{
	int ir = requested(&pic->chip[index], index == MASTER);

	if (ir == NONE)
		return 7;
	acknowledge(pic, index, ir);
	return ir;
}

u8 vtx_pic_ack(struct vtx_pic *pic)
{
	unsigned int index = MASTER, ir;
	bool spurious = requested(&pic->chip[MASTER], true) == NONE;

	ir = take(pic, MASTER);
	if (!spurious && ir == CASCADE) {
		index = SLAVE;
		ir = take(pic, SLAVE);
	}
	cascade(pic);
	return (pic->chip[index].irq_base & 0xf8) | ir;
}

/* ICW1: the sequence starts anew (8259A datasheet, "Initialization Command Words"). */
static void start_init(struct vtx_pic *pic, unsigned int index, u8 value)
{
	struct kvm_pic_state *chip = &pic->chip[index];

	chip->init4 = value & 1;
	chip->imr = 0;
	chip->last_irr = 0;
	chip->irr &= chip->elcr; /* edges are forgotten, levels still stand */
	chip->priority_add = 0;
	chip->read_reg_select = 0;
	chip->poll = 0;
	chip->special_mask = 0;
	chip->rotate_on_auto_eoi = 0;
	if (!chip->init4) {
		chip->auto_eoi = 0;
		chip->special_fully_nested_mode = 0;
	}
	chip->init_state = 1;
	end_service(pic, index, chip->isr);
}

static void write_ocw2(struct vtx_pic *pic, unsigned int index, u8 value)
{
	struct kvm_pic_state *chip = &pic->chip[index];
	unsigned int command = value >> 5, distance, ir = value & 7;
	u8 serving;

	switch (command) {
	case 0: /* rotate on automatic EOI: clear, set */
	case 4:
		chip->rotate_on_auto_eoi = command >> 2;
		break;
	case 1: /* non-specific EOI, with rotation */
	case 5:
		serving = chip->special_mask ? chip->isr & ~chip->imr : chip->isr;
		distance = rank(chip, serving);
		if (distance == 8)
			break;
		ir = line_at(chip, distance);
		end_service(pic, index, bit8(ir));
		if (command == 5)
			chip->priority_add = (ir + 1) & 7;
		break;
	case 3: /* specific EOI, with rotation */
	case 7:
		if (chip->isr & bit8(ir))
			end_service(pic, index, bit8(ir));
		if (command == 7)
			chip->priority_add = (ir + 1) & 7;
		break;
	case 6: /* set priority */
		chip->priority_add = (ir + 1) & 7;
		break;
	}
}

static void write_ocw3(struct kvm_pic_state *chip, u8 value)
{
	if (value & 0x04)
		chip->poll = 1;
	if (value & 0x02)
		chip->read_reg_select = value & 1;
	if (value & 0x40)
		chip->special_mask = (value >> 5) & 1;
}

static void write_data(struct kvm_pic_state *chip, u8 value)
{
	switch (chip->init_state) {
	case 0: /* OCW1 */
		chip->imr = value;
		break;
	case 1: /* ICW2 */
		chip->irq_base = value & 0xf8;
		chip->init_state = 2;
		break;
	case 2: /* ICW3: the wiring is fixed */
		chip->init_state = chip->init4 ? 3 : 0;
		break;
	default: /* ICW4 */
		chip->special_fully_nested_mode = (value >> 4) & 1;
		chip->auto_eoi = (value >> 1) & 1;
		chip->init_state = 0;
		break;
	}
}

void vtx_pic_write(struct vtx_pic *pic, u16 port, u8 value)
{
	unsigned int index = port >= 0x4d0 ? port & 1 : (port >> 7) & 1;
	struct kvm_pic_state *chip = &pic->chip[index];

	if (port >= 0x4d0)
		chip->elcr = value & chip->elcr_mask;
	else if (port & 1)
		write_data(chip, value);
	else if (value & 0x10)
		start_init(pic, index, value);
	else if (value & 0x08)
		write_ocw3(chip, value);
	else
		write_ocw2(pic, index, value);
	cascade(pic);
}

u8 vtx_pic_read(struct vtx_pic *pic, u16 port)
{
	unsigned int index = port >= 0x4d0 ? port & 1 : (port >> 7) & 1;
	struct kvm_pic_state *chip = &pic->chip[index];
	u8 value;

	if (port >= 0x4d0)
		return chip->elcr;
	if (chip->poll) {
		/* The read after a poll command is the acknowledge; bit 7 says whether there was a request. */
		chip->poll = 0;
		if (requested(chip, index == MASTER) == NONE)
			return 0;
		value = 0x80 | take(pic, index);
		cascade(pic);
		return value;
	}
	if (port & 1)
		return chip->imr;
	return chip->read_reg_select ? chip->isr : chip->irr;
}

u16 vtx_pic_take_ended(struct vtx_pic *pic)
{
	u16 ended = pic->ended;

	pic->ended = 0;
	return ended;
}

void vtx_pic_reset(struct vtx_pic *pic)
{
	memset(pic, 0, sizeof(*pic));
	/* System timer, keyboard, cascade, RTC and FPU are edge-triggered for ever. */
	pic->chip[MASTER].elcr_mask = 0xf8;
	pic->chip[SLAVE].elcr_mask = 0xde;
}

void vtx_pic_get_state(const struct vtx_pic *pic, unsigned int index, struct kvm_pic_state *state)
{
	*state = pic->chip[index & 1];
}

void vtx_pic_set_state(struct vtx_pic *pic, unsigned int index, const struct kvm_pic_state *state)
{
	struct kvm_pic_state *chip = &pic->chip[index & 1];
	u8 elcr_mask = chip->elcr_mask;

	*chip = *state;
	chip->elcr_mask = elcr_mask;
	chip->elcr &= elcr_mask;
	chip->priority_add &= 7;
	chip->irq_base &= 0xf8;
	chip->read_reg_select = !!chip->read_reg_select;
	chip->poll = !!chip->poll;
	chip->special_mask = !!chip->special_mask;
	chip->auto_eoi = !!chip->auto_eoi;
	chip->rotate_on_auto_eoi = !!chip->rotate_on_auto_eoi;
	chip->special_fully_nested_mode = !!chip->special_fully_nested_mode;
	chip->init4 = !!chip->init4;
	chip->init_state &= 3;
	cascade(pic);
}
