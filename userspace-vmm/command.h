/* SPDX-License-Identifier: GPL-2.0-only */
/* The subcommands of `vtx`, one file each; main.c holds the table. */
#ifndef VTX_VMM_COMMAND_H
#define VTX_VMM_COMMAND_H

/* ARGV[0] is the command's own name.  Returns the exit status of the process. */
int vtx_command_run(int argc, char **argv);
int vtx_command_doctor(int argc, char **argv);
int vtx_command_top(int argc, char **argv);
int vtx_command_stat(int argc, char **argv);
int vtx_command_trace(int argc, char **argv);
int vtx_command_explain(int argc, char **argv);
int vtx_command_boot_report(int argc, char **argv);

#endif
