// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sentences for what the emulator does not do.
 */
#include "compat/pure.h"
#include "emulate/why.h"

const char *vtx_emu_why_text(enum vtx_emu_why why)
{
	static const char *const texts[VTX_NR_EMU_WHY] = {
		[VTX_EMU_WHY_NONE] = "An instruction could not be emulated",
		[VTX_EMU_WHY_OPCODE] = "vtx does not emulate this instruction",
		[VTX_EMU_WHY_UNKNOWN] = "The instruction is in none of vtx's opcode tables",
		[VTX_EMU_WHY_VEX_MAP] = "The VEX or EVEX prefix names an opcode map, or has a reserved bit, that vtx does not know",
		[VTX_EMU_WHY_CODE_NOT_RAM] = "The instruction's bytes are not in memory: there is no slot where the guest executes",
		[VTX_EMU_WHY_VECTOR] = "Of vector instructions vtx emulates plain moves between a register and memory, and this is none",
		[VTX_EMU_WHY_FORM] = "vtx does not emulate this form of the instruction",
		[VTX_EMU_WHY_WRAP] = "The operand crosses the end of the 4 GiB linear address space",
		[VTX_EMU_WHY_DEVICE_ACCESSES] = "The instruction makes more accesses to devices than vtx can hold for it",
		[VTX_EMU_WHY_WIDE_EXCHANGE] = "A compare and exchange of more than 16 bytes is not emulated",
		[VTX_EMU_WHY_PORT_RIGHTS] = "Access to the port depends on the I/O bitmap of the TSS, which vtx does not read here",
	};

	return texts[(unsigned int)why < VTX_NR_EMU_WHY ? why : VTX_EMU_WHY_NONE];
}
