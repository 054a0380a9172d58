/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - sojourn: the table of commands, and which one is meant */
#include "cmd.h"
#include "common/log.h"
#include "shell.h"

#include <locale.h>

const Command commands[] = {
    { "run", "[OPTION]... [--] PROGRAM [ARG]...", "run a program as a job", cmd_run },
    { "list", "[--json]", "show jobs", cmd_list },
    { "show", "[--json] JOB", "show all about a job", cmd_show },
    { "why", "[--json] JOB NODE", "tell why a job cannot move to a node", cmd_why },
    { "wait", "[--json] [--status] JOB", "wait until a job ends", cmd_wait },
    { "attach", "JOB", "show the output of a detached job, until it ends", cmd_attach },
    { "kill", "[-SIGNAL] JOB...", "send jobs a signal", cmd_kill },
    { "migrate", "[--json] [--group=GROUP] JOB... NODE|home|best", "move jobs to another node", cmd_migrate },
    { "home", "[--json] JOB...", "bring jobs home", cmd_home },
    { "lock", "JOB...", "keep jobs where they are", cmd_lock },
    { "unlock", "JOB...", "let jobs move again", cmd_unlock },
    { "group", "[--json] GROUP|none [JOB]...", "show the jobs of a group, or put jobs into it: they move together", cmd_group },
    { "suspend", "JOB...", "freeze jobs", cmd_suspend },
    { "resume", "JOB...", "let frozen jobs go on", cmd_resume },
    { "history", "[--json] JOB", "show where a job has been", cmd_history },
    { "events", "[--json] [--follow]", "show what has happened lately, and what happens", cmd_events },
    { "nodes", "[--json] [--all]", "show the cluster's nodes", cmd_nodes },
    { "node", "[--json] [NODE]", "show all about a node (this one)", cmd_node },
    { "top", "[--json] [--bars=KEY] [--chart=KEY] [--from=NODE] [--alive] [--totals] [--nodes-only]", "watch nodes and jobs on the terminal", cmd_top },
    { "web", "[--json] [--open] [--logout]", "watch nodes and jobs in a browser, and move jobs there", cmd_web },
    { "stay", "[--json] [on|off]", "keep jobs on this node; off: let them leave again", cmd_stay },
    { "block", "[--json] [on|off]", "take no guests of other nodes; off: take them again", cmd_block },
    { "quiet", "[--json] [on|off]", "do not tell the others of the load here; off: do", cmd_quiet },
    { "speed", "[--json] N", "declare this node's speed (10000 is the reference)", cmd_speed },
    { "expel", "[--json]", "send all guests of other nodes away", cmd_expel },
    { "bring", "[--json]", "bring all jobs of this node home", cmd_bring },
    { "drain", "[--json] [--deadline=S]", "empty this node, as much of it as can be in time", cmd_drain },
    { "cluster", "init|token|join|admit|members|fingerprint|leave [ARG]...", "make a cluster, let nodes in and out",
      cmd_cluster },
    { "procfs", "[--foreground] [--allow-other] DIR", "show openMosix's files of /proc in a folder", cmd_procfs },
    { "doctor", "[--json]", "tell what this node can do, and what it lacks", cmd_doctor },
    { "help", "[COMMAND]", "explain a command", cmd_help },
    { "version", "[--json]", "print the version", cmd_version },
    { NULL, NULL, NULL, NULL }
};

const Command *command_find(const char *name)
{
    for (const Command *command = commands; command->name; command++)
        if (g_str_equal(command->name, name))
            return command;
    return NULL;
}

int command_run(int argc, char **argv)
{
    const Command *command = command_find(argv[0]);

    if (command) {
        g_autofree char *program = g_strconcat("sojourn ", argv[0], NULL);

        g_set_prgname(program);
        return command->run(argc, argv);
    }
    log_error("There is no command \"%s\"; \"sojourn help\" shows them all", argv[0]);
    return 2;
}

int main(int argc, char **argv)
{
    static char help[] = "help", version[] = "version";

    setlocale(LC_ALL, "");
    log_init("sojourn");
    if (argc < 2)
        return shell_run();
    if (g_str_equal(argv[1], "--help") || g_str_equal(argv[1], "-h"))
        return command_run(1, (char *[]){ help, NULL });
    if (g_str_equal(argv[1], "--version") || g_str_equal(argv[1], "-V"))
        return command_run(1, (char *[]){ version, NULL });
    return command_run(argc - 1, argv + 1);
}
