/* SPDX-License-Identifier: GPL-2.0-only */
/* Failure reports as files: what a test has provoked and checked, for `vtx explain` (selftests/machine/test_explain). */
#ifndef VTX_SELFTEST_REPORT_H
#define VTX_SELFTEST_REPORT_H

#include "../../../uapi/vtx.h"

/* Writes the report to $VTX_SAVE_REPORTS/name; nothing where that is not set. */
void save_report(const char *name, const struct vtx_failure_report *report);

#endif /* VTX_SELFTEST_REPORT_H */
