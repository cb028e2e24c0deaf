// SPDX-License-Identifier: GPL-2.0-only
/* Zydis, or its absence. */
#include "userspace-vmm/disassemble.h"

#include <stdio.h>

#ifdef VTX_HAVE_ZYDIS

#include <Zydis/Zydis.h>

bool vtx_can_disassemble(void)
{
	return true;
}

unsigned int vtx_disassemble(const uint8_t *bytes, size_t len, unsigned int bits, uint64_t address, char *text, size_t size)
{
	ZydisMachineMode mode = bits == 64 ? ZYDIS_MACHINE_MODE_LONG_64 :
				bits == 32 ? ZYDIS_MACHINE_MODE_LEGACY_32 : ZYDIS_MACHINE_MODE_LEGACY_16;
	ZydisDisassembledInstruction insn;

	text[0] = '\0';
	if (!len || !ZYAN_SUCCESS(ZydisDisassembleIntel(mode, address, bytes, len, &insn)))
		return 0;
	snprintf(text, size, "%s", insn.text);
	return insn.info.length;
}

#else

bool vtx_can_disassemble(void)
{
	return false;
}

unsigned int vtx_disassemble(const uint8_t *bytes, size_t len, unsigned int bits, uint64_t address, char *text, size_t size)
{
	(void)bytes;
	(void)len;
	(void)bits;
	(void)address;
	if (size)
		text[0] = '\0';
	return 0;
}

#endif
