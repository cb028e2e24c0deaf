// SPDX-License-Identifier: GPL-2.0-only
/* `vtx doctor`: its report as text and as JSON. */
#define _GNU_SOURCE
#include "userspace-vmm/doctor.h"

#include <string.h>

#define TEXT_WIDTH 96

static const struct {
	const char *title, *json;
} vtx_words[] = {
	[VTX_WORD_PIN] = { "Pin-based controls", "pin" },
	[VTX_WORD_PROC] = { "Primary processor-based controls", "proc" },
	[VTX_WORD_PROC2] = { "Secondary processor-based controls", "proc2" },
	[VTX_WORD_EXIT] = { "VM-exit controls", "exit" },
	[VTX_WORD_ENTRY] = { "VM-entry controls", "entry" },
	[VTX_WORD_EPT_VPID] = { "EPT and VPID capabilities", "ept_vpid" },
};

static const char *const vtx_uses[] = {
	[VTX_USE_UNUSED] = "-", [VTX_USE_WANTED] = "wanted", [VTX_USE_NEEDED] = "needed", [VTX_USE_LATER] = "needed", [VTX_USE_OFF] = "off",
};

/* "1": can't be switched off; "0": can't be switched on; "-": the choice is vtx's, or it is no control. */
static const char *vtx_fixed(const struct vtx_msr_values *m, const struct vtx_control *c)
{
	if (c->word == VTX_WORD_EPT_VPID)
		return "-";
	return vtx_control_forced(m, c) ? "1" : vtx_control_present(m, c) ? "-" : "0";
}

static bool vtx_bit_is_bad(const struct vtx_msr_values *m, const struct vtx_control *c)
{
	if (c->use == VTX_USE_OFF)
		return vtx_control_forced(m, c);
	return (c->use == VTX_USE_NEEDED || c->use == VTX_USE_LATER) && !vtx_control_present(m, c);
}

static void vtx_print_controls(const struct vtx_msr_values *m, FILE *out)
{
	int word = -1;

	for (const struct vtx_control *c = vtx_controls; c < vtx_controls + vtx_nr_controls; c++) {
		if (c->word != word) {
			word = c->word;
			fprintf(out, "\n%-40s bit  vtx     present  fixed\n", vtx_words[word].title);
		}
		fprintf(out, "  %-38s %3u  %-7s %-8s %s%s\n", c->name, c->bit, vtx_uses[c->use], vtx_control_present(m, c) ? "yes" : "no",
			vtx_fixed(m, c), vtx_bit_is_bad(m, c) ? "      <-- missing" : "");
	}
	fputs("\nvtx: needed (refuses to load without), wanted (used where it is there), off (must be possible to leave 0), - not used.\n"
	      "fixed: 1, the processor does not let it be 0; 0, it does not let it be 1.\n", out);
}

/* TEXT in lines of at most TEXT_WIDTH, the later ones indented by INDENT; the first begins with FIRST. */
static void vtx_print_wrapped(FILE *out, const char *first, int indent, const char *text)
{
	int column = fprintf(out, "%s", first);

	while (*text) {
		int len = (int)strcspn(text, " ");

		if (column + len > TEXT_WIDTH && column > indent)
			column = fprintf(out, "\n%*s", indent, "") - 1;
		column += fprintf(out, "%.*s", len, text);
		text += len;
		if (*text == ' ') {
			text++;
			if (column < TEXT_WIDTH && *text && column + 1 + (int)strcspn(text, " ") <= TEXT_WIDTH)
				column += fprintf(out, " ");
			else if (*text)
				column = fprintf(out, "\n%*s", indent, "") - 1;
		}
	}
	fputc('\n', out);
}

static void vtx_print_host(const struct vtx_doctor_facts *f, FILE *out)
{
	fprintf(out, "Processor   %s%s%s%s", *f->cpu.model ? f->cpu.model : "model not known", *f->cpu.vendor ? " (" : "", f->cpu.vendor,
		*f->cpu.vendor ? ")" : "");
	if (f->cpus)
		fprintf(out, ", %u CPU%s%s", f->cpus, f->cpus == 1 ? "" : "s", f->access == VTX_MSRS_READ && f->cpus > 1 && !f->cpus_differ && f->cpus_unread == 0 ? ", all alike" : "");
	fprintf(out, "\nHypervisor  %s\n", *f->cpu.hypervisor ? f->cpu.hypervisor : "none below (CPUID)");
	fprintf(out, "VMX         %s\n", f->cpu.cpuid_vmx ? "yes (CPUID.1:ECX bit 5)" : "no (CPUID.1:ECX bit 5)");
	if (!f->host) {
		fputs("Kernel      not looked at: the values come from a file\n", out);
		return;
	}
	fprintf(out, "Kernel      Linux %s, lockdown %s, configuration %s\n", f->release, *f->lockdown ? f->lockdown : "not built in",
		*f->config_file ? f->config_file : "not found");
	fprintf(out, "kvm_intel   %s\n", f->kvm_intel_loaded ? "loaded" : "not loaded");
	if (f->vtx_loaded)
		fputs("vtx.ko      loaded\n", out);
	else if (!*f->module_file)
		fputs("vtx.ko      not found\n", out);
	else
		fprintf(out, "vtx.ko      %s, for Linux %s\n", f->module_file, *f->module_release ? f->module_release : f->release);
}

static void vtx_print_findings(const struct vtx_diagnosis *d, enum vtx_finding_kind kind, const char *head, FILE *out)
{
	for (unsigned int i = 0; i < d->count; i++) {
		const struct vtx_finding *f = &d->findings[i];

		if (f->kind != kind)
			continue;
		vtx_print_wrapped(out, head, 10, f->text);
		if (*f->fix)
			vtx_print_wrapped(out, "    Fix:  ", 10, f->fix);
	}
}

void vtx_doctor_print(const struct vtx_doctor_facts *f, const struct vtx_diagnosis *d, bool quiet, FILE *out)
{
	static const char *const verdicts[] = {
		[VTX_DOCTOR_CAN] = "vtx can load and run guests here.",
		[VTX_DOCTOR_CANNOT] = "vtx can't run guests here.",
		[VTX_DOCTOR_UNKNOWN] = "Whether vtx can load here could not be found out.",
	};

	if (!quiet) {
		vtx_print_host(f, out);
		if (d->have_values)
			vtx_print_controls(&d->values, out);
		fputc('\n', out);
	}
	fprintf(out, "%s\n", f->host || d->status != VTX_DOCTOR_CAN ? verdicts[d->status] : "vtx can run on this processor.");
	vtx_print_findings(d, VTX_FINDING_BLOCKS, "  Cause:  ", out);
	vtx_print_findings(d, VTX_FINDING_UNKNOWN, "  Open:   ", out);
	vtx_print_findings(d, VTX_FINDING_NOTE, "  Note:   ", out);
}

/* ------------------------------------------------------------------ JSON */

static void vtx_json_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
			fprintf(out, "\\u%04x", (unsigned char)*text);
		else
			fputc(*text, out);
	}
	fputc('"', out);
}

static void vtx_json_member(FILE *out, const char *name, const char *text)
{
	fprintf(out, "  \"%s\": ", name);
	vtx_json_text(out, text);
	fputs(",\n", out);
}

static void vtx_json_controls(const struct vtx_msr_values *m, FILE *out)
{
	for (unsigned int i = 0; i < vtx_nr_controls; i++) {
		const struct vtx_control *c = &vtx_controls[i];
		const char *fixed = vtx_fixed(m, c);

		fprintf(out, "%s\n    {\"word\": \"%s\", \"bit\": %u, \"name\": ", i ? "," : "", vtx_words[c->word].json, c->bit);
		vtx_json_text(out, c->name);
		fprintf(out, ", \"use\": \"%s\", \"present\": %s, \"fixed\": %s}", *vtx_uses[c->use] == '-' ? "unused" : vtx_uses[c->use],
			vtx_control_present(m, c) ? "true" : "false", *fixed == '-' ? "null" : fixed);
	}
}

void vtx_doctor_json(const struct vtx_doctor_facts *f, const struct vtx_diagnosis *d, FILE *out)
{
	static const char *const verdicts[] = { "can", "cannot", "unknown" };
	static const char *const kinds[] = { "cause", "open", "note" };

	fputs("{\n", out);
	vtx_json_member(out, "result", verdicts[d->status]);
	vtx_json_member(out, "model", f->cpu.model);
	vtx_json_member(out, "vendor", f->cpu.vendor);
	vtx_json_member(out, "hypervisor", f->cpu.hypervisor);
	fprintf(out, "  \"vmx\": %s,\n  \"cpus\": %u,\n", f->cpu.cpuid_vmx ? "true" : "false", f->cpus);
	if (f->host) {
		vtx_json_member(out, "kernel", f->release);
		vtx_json_member(out, "lockdown", f->lockdown);
		vtx_json_member(out, "module", f->module_file);
		fprintf(out, "  \"vtx_loaded\": %s,\n  \"kvm_intel_loaded\": %s,\n", f->vtx_loaded ? "true" : "false",
			f->kvm_intel_loaded ? "true" : "false");
	}
	fputs("  \"findings\": [", out);
	for (unsigned int i = 0; i < d->count; i++) {
		fprintf(out, "%s\n    {\"kind\": \"%s\", \"code\": \"%s\", \"text\": ", i ? "," : "", kinds[d->findings[i].kind], d->findings[i].code);
		vtx_json_text(out, d->findings[i].text);
		fputs(", \"fix\": ", out);
		vtx_json_text(out, d->findings[i].fix);
		fputc('}', out);
	}
	fprintf(out, "%s],\n  \"controls\": [", d->count ? "\n  " : "");
	if (d->have_values)
		vtx_json_controls(&d->values, out);
	fprintf(out, "%s]\n}\n", d->have_values ? "\n  " : "");
}
