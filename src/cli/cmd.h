/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd.h - the commands: each takes its words, argv[0] its verb, and returns an exit status */
#pragma once

#include <glib.h>

typedef struct {
    const char *name;
    /* as in the synopsis; the shell completes by its words JOB, NODE, COMMAND, a|b */
    const char *args;
    const char *summary;
    int (*run)(int argc, char **argv);
} Command;

/* Ends with a NULL name. */
extern const Command commands[];

const Command *command_find(const char *name);

/* Runs one command, argv[0] being its name; 2 and a sentence when there is none of that name. */
int command_run(int argc, char **argv);

int cmd_block(int argc, char **argv);
int cmd_bring(int argc, char **argv);
int cmd_attach(int argc, char **argv);
int cmd_cluster(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_drain(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_expel(int argc, char **argv);
int cmd_group(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_history(int argc, char **argv);
int cmd_home(int argc, char **argv);
int cmd_kill(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_lock(int argc, char **argv);
int cmd_migrate(int argc, char **argv);
int cmd_node(int argc, char **argv);
int cmd_nodes(int argc, char **argv);
int cmd_procfs(int argc, char **argv);
int cmd_quiet(int argc, char **argv);
int cmd_resume(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_speed(int argc, char **argv);
int cmd_stay(int argc, char **argv);
int cmd_suspend(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_unlock(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_wait(int argc, char **argv);
int cmd_web(int argc, char **argv);
int cmd_why(int argc, char **argv);
