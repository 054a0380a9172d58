/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-run.c - sojourn run: the command line of a new job */
#include "cmd.h"

#include "common/conf.h"
#include "common/error.h"
#include "common/log.h"
#include "deputy/front.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_MEMORY (512ull << 20)

/* The words as they came, before they are judged. */
typedef struct {
    RunOptions run;
    char *memory, *only, *avoid, *network;
    gboolean home, best;
} RunWords;

static gboolean usage_error(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean usage_error(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *error = g_error_new_valist(SJ_ERROR, SJ_ERROR_USAGE, format, args);
    va_end(args);
    return FALSE;
}

static gboolean one_of(const char *option, const char *word, const char *const *choices,
                       GError **error)
{
    if (!word || g_strv_contains(choices, word))
        return TRUE;
    g_autofree char *list = g_strjoinv(", ", (char **) choices);
    return usage_error(error, "%s '%s' is not one of: %s", option, word, list);
}

/* "A,B" as a vector; an empty name is refused. */
static gboolean node_list(const char *option, const char *word, char ***ret_nodes, GError **error)
{
    if (!word)
        return TRUE;
    *ret_nodes = g_strsplit(word, ",", -1);
    for (char **node = *ret_nodes; *node; node++)
        if (!*g_strstrip(*node))
            return usage_error(error, "%s wants names of nodes with commas between them, not '%s'",
                               option, word);
    return TRUE;
}

/* A job's name must not look like an id, a PID or an option, and must fit on a line. */
static gboolean check_name(const char *name, GError **error)
{
    if (!name)
        return TRUE;
    gsize length = strspn(name, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "._+-");
    if (length == 0 || name[length] || length > 63 || !g_ascii_isalpha(name[0]))
        return usage_error(
            error,
            "--name '%s': a name begins with a letter and has at most 63 letters, digits, "
            "dots, dashes, underscores and pluses",
            name);
    return TRUE;
}

static gboolean check_place(RunWords *words, GError **error)
{
    if (!!words->run.on + words->home + words->best > 1)
        return usage_error(error, "--on, --home and --best exclude one another");
    if (words->home)
        words->run.on = g_strdup("home");
    if (words->best)
        words->run.on = g_strdup("best");
    if (words->run.on && !*words->run.on)
        return usage_error(error, "--on wants the name of a node");
    return node_list("--only", words->only, &words->run.only, error) &&
           node_list("--avoid", words->avoid, &words->run.avoid, error);
}

static gboolean check_size(RunWords *words, GError **error)
{
    words->run.memory_bytes = DEFAULT_MEMORY;
    if (words->memory) {
        g_autoptr(GError) reason = NULL;
        words->run.memory_bytes = conf_parse_size(words->memory, &reason);
        if (!words->run.memory_bytes)
            return usage_error(error, "--memory: %s", reason->message);
        if (words->run.memory_bytes < 32 << 20)
            return usage_error(error, "--memory %s: a guest needs at least 32M", words->memory);
    }
    if (words->run.cpus < 1 || words->run.cpus > 64)
        return usage_error(error, "--cpus %d: from 1 to 64", words->run.cpus);
    return TRUE;
}

static gboolean check_network(RunWords *words, GError **error)
{
    words->run.network = g_strcmp0(words->network, "none") == 0 ? NETWORK_NONE
                         : g_strcmp0(words->network, "nat") == 0 ? NETWORK_NAT : NETWORK_HOME;
    return one_of("--network", words->network, (const char *const[]){ "home", "nat", "none", NULL },
                  error);
}

static gboolean check_files(RunWords *words, GError **error)
{
    RunOptions *run = &words->run;

    if (!one_of("--cache", run->cache, (const char *const[]){ "close", "writeback", "none", NULL },
                error) ||
        !one_of("--arch", run->arch, (const char *const[]){ "x86_64", "i686", NULL }, error) ||
        !one_of("--hint", run->hint, (const char *const[]){ "cpu", "io", NULL }, error) ||
        !one_of("--decay", run->decay, (const char *const[]){ "slow", "fast", "none", NULL }, error) ||
        !one_of("--orphan", run->orphan, (const char *const[]){ "default", "keep", "end", NULL },
                error) ||
        !check_network(words, error))
        return FALSE;
    if (run->root) {
        char *root = realpath(run->root, NULL);
        if (!root || !g_file_test(root, G_FILE_TEST_IS_DIR)) {
            free(root);
            return usage_error(error, "--root %s is not a folder that can be entered", run->root);
        }
        g_free(run->root);
        run->root = g_strdup(root);
        free(root);
    }
    return TRUE;
}

static gboolean parse(RunWords *words, int *argc, char ***argv, GError **error)
{
    RunOptions *run = &words->run;
    const GOptionEntry entries[] = {
        { "on", 0, 0, G_OPTION_ARG_STRING, &run->on, "Start it on this node", "NODE" },
        { "best", 0, 0, G_OPTION_ARG_NONE, &words->best,
          "Start it on the node that is best for it (default)", NULL },
        { "home", 0, 0, G_OPTION_ARG_NONE, &words->home, "Start it here", NULL },
        { "lock", 0, 0, G_OPTION_ARG_NONE, &run->lock, "It stays where it is until it is unlocked",
          NULL },
        { "only", 0, 0, G_OPTION_ARG_STRING, &words->only, "It goes to these nodes only",
          "NODE,..." },
        { "avoid", 0, 0, G_OPTION_ARG_STRING, &words->avoid, "It goes to none of these nodes",
          "NODE,..." },
        { "hint", 0, 0, G_OPTION_ARG_STRING, &run->hint,
          "What it does most: cpu (computes: counts as all its CPUs), io (stays near its files)", "KIND" },
        { "group", 0, 0, G_OPTION_ARG_STRING, &run->group, "It moves together with the others of this group", "GROUP" },
        { "decay", 0, 0, G_OPTION_ARG_STRING, &run->decay,
          "How soon the balancer forgets what it did: slow, fast, none", "PACE" },
        { "trust-nodes", 0, 0, G_OPTION_ARG_NONE, &run->trust_nodes, "Let root's job leave home",
          NULL },
        { "memory", 0, 0, G_OPTION_ARG_STRING, &words->memory, "Memory of its guest, as 512M or 2G",
          "SIZE" },
        { "cpus", 0, 0, G_OPTION_ARG_INT, &run->cpus, "CPUs of its guest", "N" },
        { "arch", 0, 0, G_OPTION_ARG_STRING, &run->arch, "Kernel of its guest: x86_64 or i686",
          "ARCH" },
        { "name", 0, 0, G_OPTION_ARG_STRING, &run->name, "A name for the job", "NAME" },
        { "cache", 0, 0, G_OPTION_ARG_STRING, &run->cache,
          "Files: close (default: seen by others as written, by it at open), writeback, none",
          "MODE" },
        { "root", 0, 0, G_OPTION_ARG_FILENAME, &run->root, "It sees only this folder, as /",
          "DIR" },
        { "read-only", 0, 0, G_OPTION_ARG_NONE, &run->read_only, "It can change no file", NULL },
        { "network", 0, 0, G_OPTION_ARG_STRING, &words->network,
          "Network: home (default: its sockets are its home's), nat (one of its own, behind home's), none", "MODE" },
        { "orphan", 0, 0, G_OPTION_ARG_STRING, &run->orphan,
          "When home cannot be reached: default (the node's rule), keep (wait without end), end "
          "(at once)",
          "POLICY" },
        { "detach", 0, 0, G_OPTION_ARG_NONE, &run->detach,
          "Print the job's id and return once it runs", NULL },
        { "linger", 0, 0, G_OPTION_ARG_NONE, &run->linger,
          "The job lasts until all that the program has started has ended", NULL },
        { "cold", 0, 0, G_OPTION_ARG_NONE, &run->cold,
          "Start a guest for it, even if one is waiting", NULL },
        { "timings", 0, 0, G_OPTION_ARG_NONE, &run->timings, "Say at the end what took how long",
          NULL },
        { NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("[--] PROGRAM [ARG]...");

    g_option_context_set_strict_posix(context, TRUE);
    g_option_context_set_summary(
        context, "Runs a program as a job: in a micro-VM that can move to another node.");
    g_option_context_add_main_entries(context, entries, NULL);
    return g_option_context_parse(context, argc, argv, error);
}

static gboolean judge(RunWords *words, int argc, char **argv, GError **error)
{
    if (argc > 1 && g_str_equal(argv[1], "--"))
        argv++;
    if (!argv[1])
        return usage_error(error, "which program? (sojourn run [OPTIONS] [--] PROGRAM [ARG]...)");
    words->run.command = argv + 1;
    return check_name(words->run.name, error) && check_place(words, error) &&
           check_size(words, error) && check_files(words, error);
}

static void words_clear(RunWords *words)
{
    RunOptions *run = &words->run;

    g_free(run->name);
    g_free(run->on);
    g_free(run->group);
    g_free(run->hint);
    g_free(run->decay);
    g_free(run->arch);
    g_free(run->cache);
    g_free(run->root);
    g_free(run->orphan);
    g_free(words->memory);
    g_free(words->only);
    g_free(words->avoid);
    g_free(words->network);
    g_strfreev(run->only);
    g_strfreev(run->avoid);
}

int cmd_run(int argc, char **argv)
{
    RunWords words = { .run.cpus = 1 };
    g_autoptr(GError) error = NULL;
    int status = 2;

    if (parse(&words, &argc, &argv, &error) && judge(&words, argc, argv, &error))
        status = front_run(&words.run);
    else
        log_error("run: %s", error->message);

    words_clear(&words);
    return status;
}
