// SPDX-License-Identifier: GPL-2.0-only
/* Sets of MSR values: the text form, and what the module makes of them. */
#define _GNU_SOURCE
#include "userspace-vmm/msr_set.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_VMX 0x480
#define FEATURE_CONTROL 0x3a

uint32_t vtx_msr_set_number(unsigned int index)
{
	return index ? FIRST_VMX + index - 1 : FEATURE_CONTROL;
}

static int vtx_msr_set_index(uint32_t msr)
{
	if (msr == FEATURE_CONTROL)
		return 0;
	if (msr < FIRST_VMX || msr > vtx_msr_set_number(VTX_MSR_SET_COUNT - 1))
		return -1;
	return (int)(msr - FIRST_VMX) + 1;
}

bool vtx_msr_set_put(struct vtx_msr_set *set, uint32_t msr, uint64_t value)
{
	int i = vtx_msr_set_index(msr);

	if (i < 0)
		return false;
	set->have |= 1U << i;
	set->value[i] = value;
	return true;
}

static bool vtx_msr_set_has(const struct vtx_msr_set *set, uint32_t msr)
{
	return set->have >> vtx_msr_set_index(msr) & 1;
}

static u64 vtx_msr_set_get(u32 msr, void *data)
{
	const struct vtx_msr_set *set = data;
	int i = vtx_msr_set_index(msr);

	return i >= 0 && (set->have >> i & 1) ? set->value[i] : 0;
}

void vtx_msr_set_values(const struct vtx_msr_set *set, struct vtx_msr_values *values)
{
	vtx_caps_collect(values, set->cpuid_vmx, vtx_msr_set_get, (void *)set);
}

/* SDM vol. 3, A.1 to A.5 and A.10: which of them exist follows from the others. */
uint32_t vtx_msr_set_lacks(const struct vtx_msr_set *set)
{
	static const uint32_t always[] = { 0x3a, 0x480, 0x481, 0x482, 0x483, 0x484, 0x485, 0x486, 0x487, 0x488, 0x489 };
	static const uint32_t true_ones[] = { 0x48d, 0x48e, 0x48f, 0x490 };
	struct vtx_msr_values values;

	if (!set->cpuid_vmx)
		return 0;
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (!vtx_msr_set_has(set, always[i]))
			return always[i];
	vtx_msr_set_values(set, &values);
	for (size_t i = 0; i < sizeof(true_ones) / sizeof(true_ones[0]); i++)
		if ((values.basic >> 55 & 1) && !vtx_msr_set_has(set, true_ones[i]))
			return true_ones[i];
	if ((values.proc >> 63 & 1) && !vtx_msr_set_has(set, 0x48b)) /* secondary controls */
		return 0x48b;
	if ((values.proc2 >> 33 & 1) && !vtx_msr_set_has(set, 0x48c)) /* EPT */
		return 0x48c;
	return 0;
}

/* ------------------------------------------------------------------ text */

static bool vtx_parse_whole_number(const char *text, uint64_t max, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*value = strtoull(text, &end, 0);
	return !errno && !*end && *value <= max;
}

/* One line, split at its first blank.  Returns what is wrong with it, or NULL. */
static const char *vtx_msr_set_take(struct vtx_msr_set *set, const char *key, const char *value, bool *vmx_given)
{
	uint64_t msr, number;

	if (!*value)
		return "a name and a value are expected, such as \"0x480 0x00da040000000004\" or \"cpuid_vmx 1\"";
	if (!strcmp(key, "vendor")) {
		snprintf(set->vendor, sizeof(set->vendor), "%s", value);
	} else if (!strcmp(key, "hypervisor")) {
		snprintf(set->hypervisor, sizeof(set->hypervisor), "%s", value);
	} else if (!strcmp(key, "model")) {
		snprintf(set->model, sizeof(set->model), "%s", value);
	} else if (!strcmp(key, "cpuid_vmx")) {
		if (!vtx_parse_whole_number(value, 1, &number))
			return "cpuid_vmx is 0 or 1";
		set->cpuid_vmx = number;
		*vmx_given = true;
	} else if (vtx_parse_whole_number(key, UINT32_MAX, &msr)) {
		if (!vtx_parse_whole_number(value, UINT64_MAX, &number))
			return "the value is not a number of 64 bits";
		if (vtx_msr_set_index((uint32_t)msr) >= 0 && vtx_msr_set_has(set, (uint32_t)msr))
			return "this MSR was given before";
		vtx_msr_set_put(set, (uint32_t)msr, number); /* others than VMX's are ignored */
	} else {
		return "the name is neither an MSR's number nor cpuid_vmx, vendor, hypervisor or model";
	}
	return NULL;
}

int vtx_msr_set_parse(struct vtx_msr_set *set, const char *text, size_t size, const char *name, struct vtx_error *error)
{
	const char *end = text + size;
	unsigned int number = 0;
	bool vmx_given = false;

	memset(set, 0, sizeof(*set));
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text)), *wrong;
		size_t len = (size_t)((newline ? newline : end) - text);
		char line[256], *key = line, *value;

		number++;
		if (len >= sizeof(line) || memchr(text, 0, len))
			return vtx_error_set(error, VTX_STATUS_USAGE, "%s: line %u is no text of such a file", name, number);
		memcpy(line, text, len);
		line[len] = 0;
		text += len + 1;
		while (len && isspace((unsigned char)line[len - 1]))
			line[--len] = 0;
		while (isspace((unsigned char)*key))
			key++;
		if (!*key || *key == '#')
			continue;
		value = key + strcspn(key, " \t");
		if (*value)
			*value++ = 0;
		while (isspace((unsigned char)*value))
			value++;
		wrong = vtx_msr_set_take(set, key, value, &vmx_given);
		if (wrong)
			return vtx_error_set(error, VTX_STATUS_USAGE, "%s: line %u (%.40s): %s", name, number, key, wrong);
	}
	if (!vmx_given)
		return vtx_error_set(error, VTX_STATUS_USAGE, "%s: there is no line \"cpuid_vmx 0\" or \"cpuid_vmx 1\"; "
				     "is this a file that vtx doctor --record wrote?", name);
	return 0;
}

void vtx_msr_set_write(const struct vtx_msr_set *set, FILE *out)
{
	fprintf(out, "# VMX capabilities, recorded by vtx doctor --record\n");
	if (*set->model)
		fprintf(out, "model %s\n", set->model);
	if (*set->vendor)
		fprintf(out, "vendor %s\n", set->vendor);
	if (*set->hypervisor)
		fprintf(out, "hypervisor %s\n", set->hypervisor);
	fprintf(out, "cpuid_vmx %d\n", set->cpuid_vmx);
	for (unsigned int i = 0; i < VTX_MSR_SET_COUNT; i++)
		if (set->have >> i & 1)
			fprintf(out, "%#x 0x%016" PRIx64 "\n", vtx_msr_set_number(i), set->value[i]);
}
