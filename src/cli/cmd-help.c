/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-help.c - sojourn help and version */
#include "client.h"
#include "cmd.h"
#include "common/log.h"

#include <stdio.h>

static void print_all(void)
{
    puts("usage: sojourn [COMMAND [ARG]...]\n\n"
         "Runs programs in micro-VMs that move between machines. Without a command: a shell.\n");
    for (const Command *command = commands; command->name; command++)
        printf("  %-9s %s\n", command->name, command->summary);
    puts("\nJOB is a job's id or the beginning of it, its name, or the PID of its \"sojourn run\".\n"
         "\"sojourn help COMMAND\" explains a command; the manual is sojourn(1).");
}

int cmd_help(int argc, char **argv)
{
    const Command *command;
    static char option[] = "--help";
    char *words[] = { NULL, option, NULL };

    if (argc < 2) {
        print_all();
        return 0;
    }
    command = command_find(argv[1]);
    if (!command) {
        log_error("There is no command \"%s\"; \"sojourn help\" shows them all", argv[1]);
        return 2;
    }
    printf("sojourn %s %s\n  %s\n\n", command->name, command->args, command->summary);
    if (command->run == cmd_help || command->run == cmd_version)
        return 0;
    fflush(stdout);
    words[0] = argv[1];
    return command_run(2, words);
}

int cmd_version(int argc, char **argv)
{
    gboolean as_json = FALSE;
    const GOptionEntry options[] = { OPTION_JSON(&as_json), { NULL } };
    g_autoptr(Json) version = json_set_string(json_object(), "version", PACKAGE_VERSION);

    if (!client_words(&argc, &argv, options, 0, 0))
        return 2;
    if (as_json)
        client_print_json(version);
    else
        puts("sojourn " PACKAGE_VERSION);
    return 0;
}
