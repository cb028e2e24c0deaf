// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts executed instructions by address, between one "xchg %bx, %bx" and the next, wherever those are executed: an instruction that
 * does nothing and that no compiler emits. One section of the report for each such pair, "count address" a line; of the guest and of
 * user space one line each, as only the host's kernel is of interest. A time-stamp counter of Bochs counts the same: one per instruction, and
 * one per iteration of a repeated one.
 *
 * The report goes to the file that $BOCHS_COUNT names.
 */
#include <cstdio>
#include <cstdlib>
#include <map>
#include <unordered_map>

#include "bochs.h"
#include "cpu/cpu.h"
#include "cpu/decoder/ia_opcodes.h"

static const Bit64u GUEST = 1, USER = 2;

static std::unordered_map<Bit64u, Bit64u> counts;
static bool counting;
static FILE *report;

static void write_section(void)
{
  static unsigned section;

  if (!report && getenv("BOCHS_COUNT"))
    report = fopen(getenv("BOCHS_COUNT"), "w");
  if (report) {
    std::map<Bit64u, Bit64u> sorted(counts.begin(), counts.end());
    fprintf(report, "section %u\n", section++);
    for (const auto &line : sorted)
      if (line.first == GUEST || line.first == USER)
        fprintf(report, "%llu %s\n", (unsigned long long)line.second, line.first == GUEST ? "guest" : "user");
      else
        fprintf(report, "%llu %llx\n", (unsigned long long)line.second, (unsigned long long)line.first);
    fflush(report);
  }
  counts.clear();
}

static bool is_marker(bxInstruction_c *insn)
{
  return insn->getIaOpcode() == BX_IA_XCHG_EwGw && insn->modC0() && insn->dst() == BX_16BIT_REG_BX && insn->src() == BX_16BIT_REG_BX;
}

void vtx_count(unsigned cpu, bxInstruction_c *insn, bool iteration)
{
  Bit64u rip = BX_CPU(cpu)->get_instruction_pointer();

  if (is_marker(insn)) {
    if (counting)
      write_section();
    counting = !counting;
    return;
  }
  if (!counting)
    return;
  if (BX_CPU(cpu)->in_vmx_guest)
    counts[GUEST]++;
  else if (!(rip >> 63))
    counts[USER]++;
  else
    counts[rip]++;
}

void vtx_count_report(void)
{
  if (report)
    fclose(report);
}
