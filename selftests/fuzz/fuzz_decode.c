// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzzer: the decoder's lengths beside Zydis'.  First byte: mode; the rest, at most 16 bytes: the instruction.
 */
#include "selftests/fuzz/decode_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_ud_instruction(const ZydisDecodedInstruction *insn)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_UD0 || insn->mnemonic == ZYDIS_MNEMONIC_UD1 ||
	       insn->mnemonic == ZYDIS_MNEMONIC_UD2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oracle_answer a;
	enum oracle_verdict v;

	if (size < 2)
		return 0;
	v = oracle_compare(2u << data[0] % 3, data + 1, min_t(size_t, size - 1, 16), &a);
	if ((v == ORACLE_MISMATCH || v == ORACLE_WE_REFUSE) && !oracle_known_refusal(&a.insn) &&
	    !is_ud_instruction(&a.insn)) {
		fprintf(stderr, "mode %u: ours %d, vector %u, length %u; Zydis %s, length %u\n", 2u << data[0] % 3, a.ours,
			a.vector, a.our_len, ZydisMnemonicGetString(a.insn.mnemonic), a.zydis_len);
		__builtin_trap();
	}
	return 0;
}
