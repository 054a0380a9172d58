/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell.c - the interactive shell, in virsh's manner; the only file that knows readline
 *
 * Each command runs in a child of its own, in the foreground of the terminal, so that Ctrl-C and
 * Ctrl-Z are its own.
 */
#include "shell.h"

#include "client.h"
#include "cmd.h"
#include "common/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

static gboolean on_terminal;
static pid_t stopped;   /* the command that Ctrl-Z has stopped, for fg */

/* Words that can stand where the cursor is */

static void add_members(GPtrArray *words, const char *method, const char *key,
                        const char *other_key)
{
    g_autoptr(Json) rows = client_ask(method);

    for (guint i = 0; i < json_length(rows); i++) {
        const char *name = json_get_string(json_at(rows, i), key, "");
        const char *other = other_key ? json_get_string(json_at(rows, i), other_key, "") : "";
        gsize shown = other_key ? CLIENT_ID_SHOWN : strlen(name);

        g_ptr_array_add(words, *other ? g_strdup(other) : g_strndup(name, shown));
    }
}

/* For one word of a synopsis, as "JOB", "NODE|home|best", "init|token". */
static void add_for(GPtrArray *words, const char *argument)
{
    g_auto(GStrv) choices = g_strsplit_set(argument, "[]|.", -1);

    for (char **choice = choices; *choice; choice++) {
        if (g_str_equal(*choice, "JOB"))
            add_members(words, "job.list", "id", "name");
        else if (g_str_equal(*choice, "NODE"))
            add_members(words, "node.list", "name", NULL);
        else if (g_str_equal(*choice, "COMMAND"))
            for (const Command *command = commands; command->name; command++)
                g_ptr_array_add(words, g_strdup(command->name));
        else if (g_ascii_islower(**choice) || g_str_has_prefix(*choice, "--"))
            g_ptr_array_add(words, g_strdup(*choice));
    }
}

/* The words for the cursor's place: options anywhere, the place's argument counted without
 * options. */
static GPtrArray *candidates(const char *line, int start)
{
    GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *before = g_strndup(line, start);
    g_auto(GStrv) typed = NULL, arguments = NULL;
    const Command *command;
    int place = -1, at = 0;
    gboolean more = FALSE; /* a word that may be there several times has been passed */

    if (!g_shell_parse_argv(before, NULL, &typed, NULL)) {
        add_for(words, "COMMAND");
        g_ptr_array_add(words, g_strdup("quit"));
        return words;
    }
    command = command_find(typed[0]);
    arguments = g_strsplit(command ? command->args : "", " ", -1);
    for (char **word = typed; *word; word++)
        place += **word != '-';
    for (char **argument = arguments; *argument; argument++) {
        gboolean option = g_str_has_prefix(*argument, "[-");

        more = more || (!option && strstr(*argument, "..."));
        if (option || at == place || (more && place > at))
            add_for(words, *argument);
        at += !option;
    }
    return words;
}

static GPtrArray *found;

static char *next_match(const char *text, int again)
{
    static guint next;

    for (next = again ? next : 0; found && next < found->len;) {
        const char *word = found->pdata[next++];

        if (g_str_has_prefix(word, text) && (*text == '-' || *word != '-'))
            return strdup(word);
    }
    return NULL;
}

static char **complete(const char *text, int start, int end)
{
    char **matches;

    found = candidates(rl_line_buffer, start);
    rl_attempted_completion_over = strncmp(rl_line_buffer, "run ", 4) != 0;
    matches = rl_completion_matches(text, next_match);
    g_clear_pointer(&found, g_ptr_array_unref);
    return matches;
}

/* Running them */

static int wait_for(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, WUNTRACED) < 0)
        ;
    if (on_terminal)
        tcsetpgrp(STDIN_FILENO, getpgrp());
    if (WIFSTOPPED(status)) {
        stopped = pid;
        puts("\nStopped; \"fg\" lets it go on.");
        return 0;
    }
    if (pid == stopped)
        stopped = 0;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int continue_stopped(void)
{
    if (!stopped) {
        log_error("Nothing is stopped");
        return 1;
    }
    tcsetpgrp(STDIN_FILENO, stopped);
    kill(-stopped, SIGCONT);
    return wait_for(stopped);
}

static int run_child(int argc, char **argv)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        if (on_terminal) {
            setpgid(0, 0);
            tcsetpgrp(STDIN_FILENO, getpid());
            for (int i = 0; i < 4; i++)
                signal((int[]){ SIGINT, SIGTSTP, SIGTTOU, SIGQUIT }[i], SIG_DFL);
        }
        int status = command_run(argc, argv);
        fflush(NULL);
        _exit(status);
    }
    if (pid < 0) {
        log_error("Cannot fork: %s", g_strerror(errno));
        return 1;
    }
    if (on_terminal)
        setpgid(pid, pid);
    return wait_for(pid);
}

static gboolean is_quit(const char *word)
{
    return g_str_equal(word, "quit") || g_str_equal(word, "exit");
}

static int run_line(const char *line, gboolean *ret_quit)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) argv = NULL;
    int argc;

    if (!g_shell_parse_argv(line, &argc, &argv, &error)) {
        if (g_error_matches(error, G_SHELL_ERROR, G_SHELL_ERROR_EMPTY_STRING))
            return 0;
        log_error("%s", error->message);
        return 2;
    }
    if (is_quit(argv[0])) {
        *ret_quit = TRUE;
        return 0;
    }
    return g_str_equal(argv[0], "fg") ? continue_stopped() : run_child(argc, argv);
}

static void prepare_terminal(void)
{
    for (int i = 0; i < 4; i++)
        signal((int[]){ SIGINT, SIGTSTP, SIGTTOU, SIGQUIT }[i], SIG_IGN);
    rl_readline_name = "sojourn";
    rl_attempted_completion_function = complete;
    rl_variable_bind("show-all-if-ambiguous", "on");
    puts("Welcome to sojourn, the shell of jobs that travel.\n\n"
         "Type:  'help' for help with commands\n"
         "       'quit' to quit\n");
}

static char *read_line(void)
{
    char *line = NULL;
    size_t size = 0;

    if (on_terminal)
        return readline("sojourn # ");
    if (getline(&line, &size, stdin) < 0) {
        free(line);
        return NULL;
    }
    line[strcspn(line, "\n")] = 0;
    return line;
}

int shell_run(void)
{
    gboolean quit = FALSE;
    int status = 0;

    on_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (on_terminal)
        prepare_terminal();
    while (!quit) {
        char *line = read_line();

        if (!line)
            break;
        if (on_terminal && *line)
            add_history(line);
        status = run_line(line, &quit);
        free(line);
    }
    if (on_terminal && !quit)
        putchar('\n');
    if (stopped)
        kill(-stopped, SIGHUP), kill(-stopped, SIGCONT);
    return on_terminal ? 0 : status;
}
