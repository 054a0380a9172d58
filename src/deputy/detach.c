/* SPDX-License-Identifier: GPL-2.0-or-later */
/* detach.c - a front that goes on in the background: --detach
 *
 * The report is lines on a pipe: "id ID", "failed STATUS SENTENCE", "started". The parent ends at
 * "started" or at the pipe's end.
 */
#include "detach.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void report_line(int report, const char *word, const char *text)
{
    g_autofree char *line = g_strdup_printf("%s %s\n", word, text);

    if (write(report, line, strlen(line)) < 0)
        log_debug("nobody waits for the report any more");
}

void detach_job(int report, const char *id)
{
    report_line(report, "id", id);
}

void detach_started(int report)
{
    report_line(report, "started", "");
    close(report);
}

void detach_fail(int report, int status, const char *sentence)
{
    g_autofree char *text = g_strdup_printf("%d %s", status, sentence);

    report_line(report, "failed", text);
}

static gboolean is_file(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* Output to a file is the job's. A terminal or a pipe stays with the parent: who reads the id from
 * it waits for its end; what the job writes there is kept (kept.c). Returns where that comes out. */
static int become_background(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), ends[2];

    setsid();
    dup2(null, STDIN_FILENO);
    if (pipe2(ends, O_CLOEXEC) < 0)
        ends[0] = ends[1] = null;
    for (int fd = 1; fd <= 2; fd++)
        if (!is_file(fd))
            dup2(ends[1], fd);
    if (ends[1] != null)
        close(ends[1]);
    if (ends[0] == null)
        return -1;
    close(null);
    return ends[0];
}

static int wait_for_report(int report)
{
    char line[1024];
    g_autofree char *id = NULL;
    FILE *lines = fdopen(report, "r");
    int status = 1, sentence = 0;
    gboolean started = FALSE;

    while (lines && !started && fgets(line, sizeof line, lines)) {
        g_strchomp(line);
        if (g_str_has_prefix(line, "id ") && !id)
            id = g_strdup(line + 3);
        else if (sscanf(line, "failed %d %n", &status, &sentence) == 1)
            log_error("%s", line + sentence);
        else if (g_str_has_prefix(line, "started"))
            started = TRUE;
    }
    if (lines)
        fclose(lines);
    if (started && id)
        printf("%s\n", id);
    return started ? 0 : status;
}

gboolean detach(int *ret_report, int *ret_output, int *ret_status)
{
    int ends[2];
    pid_t child;

    *ret_status = 1;
    if (pipe2(ends, O_CLOEXEC) < 0 || (child = fork()) < 0) {
        log_error("cannot fork: %s", g_strerror(errno));
        return FALSE;
    }
    if (child == 0) {
        close(ends[0]);
        *ret_output = become_background();
        *ret_report = ends[1];
        return TRUE;
    }
    close(ends[1]);
    *ret_status = wait_for_report(ends[0]);
    return FALSE;
}
