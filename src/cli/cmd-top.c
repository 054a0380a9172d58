/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-top.c - sojourn top: nodes and jobs on a terminal, kept up to date; the only file that knows ncurses
 *
 * Above the nodes, a bar each, by openMosix's mon keys, lying or upright (chart.h); below the jobs, to sort, filter, move and
 * kill. What is shown is asked for every two seconds; only what has changed is drawn, which is what slow lines need.
 */
#include "chart.h"
#include "client.h"
#include "cmd.h"
#include "common/address.h"
#include "common/log.h"

#include <math.h>
#include <ncurses.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REFRESH_MS 2000
#define ASK_MS 1000
#define BAR_AT 24
#define HELP "lLmrsu wvVab bars  d t lines  o order  / filter  g goto  h home  K kill  q quit"

typedef struct {
    Json *nodes, *jobs;
    int what;                /* of nodes: one of "lLmrsu" */
    ChartLayout layout;
    guint first;             /* of the nodes, in a chart */
    gboolean dead, totals, nodes_only;
    guint order;             /* of jobs: index in orders */
    guint cursor, top;       /* rows of shown */
    GPtrArray *shown;        /* Json *: jobs in order, filtered; not owned */
    char *filter, *said;
} Top;

static const struct {
    const char *name, *key;
} orders[] = { { "CPU", "cpu_seconds" }, { "node", "node" }, { "name", "name" }, { "moves", "migrations" } };

/* What is shown */

static gboolean passes(const Top *top, Json *job)
{
    static const char *const keys[] = { "name", "user", "node", "command", "state", "id" };

    if (!top->filter || !*top->filter)
        return TRUE;
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
        if (strstr(json_get_string(job, keys[i], ""), top->filter))
            return TRUE;
    return FALSE;
}

static gint compare(gconstpointer a, gconstpointer b, gpointer user)
{
    Json *first = *(Json *const *) a, *second = *(Json *const *) b;
    const char *key = orders[((Top *) user)->order].key;
    double x = json_get_double(first, key, 0), y = json_get_double(second, key, 0);
    int by_text = strcmp(json_get_string(first, key, ""), json_get_string(second, key, ""));

    if (x != y)
        return x < y ? 1 : -1;
    return by_text ? by_text : strcmp(json_get_string(first, "id", ""), json_get_string(second, "id", ""));
}

static void choose_shown(Top *top)
{
    g_ptr_array_set_size(top->shown, 0);
    for (guint i = 0; i < json_length(top->jobs); i++)
        if (passes(top, json_at(top->jobs, i)))
            g_ptr_array_add(top->shown, json_at(top->jobs, i));
    g_ptr_array_sort_with_data(top->shown, compare, top);
    top->cursor = top->shown->len ? MIN(top->cursor, top->shown->len - 1) : 0;
}

static Json *nodes_wanted(void)
{
    return json_set_bool(json_object(), "pending", TRUE);
}

static void look(Top *top)
{
    Json *nodes = client_try("node.list", nodes_wanted(), ASK_MS, NULL), *jobs = client_ask("job.list");

    if (nodes && jobs) {
        json_unref(top->nodes);
        json_unref(top->jobs);
        top->nodes = json_ref(nodes);
        top->jobs = json_ref(jobs);
        choose_shown(top);
    } else {
        g_free(top->said);
        top->said = g_strdup("The controller does not answer");
    }
    json_unref(nodes);
    json_unref(jobs);
}

/* Drawing */

static void G_GNUC_PRINTF(3, 4) put(int y, int x, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    if (y < 0 || y >= LINES || x >= COLS)
        return;
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_strdelimit(text, "\033\r\n\t\b\f\v", '?');
    mvaddnstr(y, x, text, COLS - x);
}

/* What a node's bar says: a share from 0 to 1, and words (g_free). */
static double value_of(const Top *top, Json *row, char **ret_text)
{
    double load = json_get_double(row, "load", 0), speed = json_get_double(row, "speed", 0);
    double total = json_get_double(row, "memory_total_bytes", 0), used = total - json_get_double(row, "memory_free_bytes", 0);
    g_autofree char *bytes = client_size(top->what == 'm' ? used : total - used);

    switch (top->what) {
    case 'm':
        *ret_text = g_strdup_printf("%s used", bytes);
        return total > 0 ? used / total : 0;
    case 'r':
        *ret_text = g_strdup_printf("%s free", bytes);
        return total > 0 ? 1 - used / total : 0;
    case 's':
        *ret_text = g_strdup_printf("speed %.0f", speed);
        return speed / 20000;
    case 'u':
        *ret_text = g_strdup_printf("%.0f %%", MIN(load, 1) * 100);
        return MIN(load, 1);
    case 'L':
        *ret_text = g_strdup_printf("load %.2f", load);
        return log2(1 + load) / 5;
    default:
        *ret_text = g_strdup_printf("load %.2f", load);
        return load / 4;
    }
}

/* Whether it is no member yet, but a node that is seen to wait. */
static gboolean waits(Json *row)
{
    return json_has(row, "fingerprint");
}

static void draw_node(const Top *top, int y, Json *row)
{
    g_autofree char *text = NULL;
    gboolean known = json_has(row, "cpus");
    int width = CLAMP(COLS - BAR_AT - 18, 8, 60), part;
    double value = known ? value_of(top, row, &text) : 0;

    put(y, 0, "%-12.12s %-8.8s", json_get_string(row, "name", "?"), json_get_string(row, "state", ""));
    if (!known) {
        put(y, BAR_AT - 2, "%s%s", json_get_string(row, "address", ""), waits(row) ? " waits to be let in" : "");
        return;
    }
    part = CLAMP(value, 0, 1) * width + 0.5;
    mvaddch(y, BAR_AT - 2, '[');
    for (int i = 0; i < width; i++)
        mvaddch(y, BAR_AT - 1 + i, i < part ? '#' | (value > 1 ? A_BOLD : 0) : ' ');
    put(y, BAR_AT - 1 + width, "] %s", text);
}

static gboolean is_up(Json *row)
{
    return json_has(row, "cpus") && !g_str_equal(json_get_string(row, "state", ""), "failed");
}

/* What a full bar of a chart means, as a share of what value_of takes for full, and in words (g_free). */
static double full_of(const Top *top, char **ret_text)
{
    const char *key = top->what == 's' ? "speed" : "load";
    double most = top->what == 's' ? 1 : 0.01;

    if (top->what != 's' && top->what != 'l') {
        *ret_text = g_strdup(top->what == 'L' ? "31" : "100%");
        return 1;
    }
    for (guint i = 0; i < json_length(top->nodes); i++)
        most = MAX(most, json_get_double(json_at(top->nodes, i), key, 0));
    most = top->what == 'l' ? MAX(1, ceil(most)) : most;
    *ret_text = g_strdup_printf("%.0f", most);
    return top->what == 'l' ? most / 4 : most / 20000;
}

/* The nodes as upright bars; returns the line below. */
static int draw_chart(Top *top, int y, int most)
{
    guint n = 0, all = json_length(top->nodes);
    g_autofree ChartBar *bars = g_new(ChartBar, all + 1);
    g_autoptr(GPtrArray) labels = g_ptr_array_new_with_free_func(g_free), lines = NULL;
    g_autofree char *full_text = NULL;
    double full = full_of(top, &full_text);

    for (guint i = 0; i < all; i++) {
        Json *row = json_at(top->nodes, i);
        guint number = address_number(json_get_string(row, "address", ""));
        g_autofree char *text = NULL;
        double value;

        if (waits(row) || (!is_up(row) && !top->dead))
            continue;
        value = is_up(row) ? value_of(top, row, &text) / full : 0;
        g_ptr_array_add(labels, number ? g_strdup_printf("%u", number) : g_strdup(json_get_string(row, "name", "?")));
        bars[n] = (ChartBar){ labels->pdata[n], value, top->what == 'm' ? 1 - value : 0, !is_up(row) };
        n++;
    }
    top->first = n ? MIN(top->first, n - 1) : 0;
    lines = chart_lines(top->layout, bars + top->first, n - top->first, COLS, MAX(most, 0), full_text);
    for (guint i = 0; i < lines->len; i++)
        put(y++, 0, "%s", (char *) lines->pdata[i]);
    return y;
}

static int draw_nodes(Top *top, int y, int most)
{
    guint up = 0, cpus = 0;
    double wanted = 0;

    if (top->layout != CHART_ROWS)
        y = draw_chart(top, y, most);

    for (guint i = 0; i < json_length(top->nodes); i++) {
        Json *row = json_at(top->nodes, i);

        up += is_up(row);
        cpus += is_up(row) ? json_get_int(row, "cpus", 0) : 0;
        wanted += is_up(row) ? json_get_double(row, "demand", 0) : 0;
        if (top->layout == CHART_ROWS && (is_up(row) || top->dead) && most > 0) {
            draw_node(top, y++, row);
            most--;
        }
    }
    if (top->totals)
        put(y++, 0, "%u nodes up, %u CPUs, %.1f wanted", up, cpus, wanted);
    return y;
}

static void draw_job(int y, Json *job, gboolean selected)
{
    if (selected)
        attron(A_REVERSE);
    mvhline(y, 0, ' ', COLS);
    put(y, 0, "%-8.8s %-10.10s %-8.8s %-10.10s %-10.10s %8.1f %5" G_GINT64_FORMAT " %s", json_get_string(job, "id", ""),
        json_get_string(job, "name", ""), json_get_string(job, "user", ""), json_get_string(job, "node", ""),
        json_get_bool(job, "locked", FALSE) ? "locked" : json_get_string(job, "state", ""), json_get_double(job, "cpu_seconds", 0),
        json_get_int(job, "migrations", 0), json_get_string(job, "command", ""));
    attroff(A_REVERSE);
}

static void draw_jobs(Top *top, int y)
{
    int rows = MAX(LINES - 2 - y, 1);

    attron(A_BOLD);
    put(y++, 0, "%-8s %-10s %-8s %-10s %-10s %8s %5s %s", "Id", "Name", "User", "Node", "State", "CPU s", "Moves", "Command");
    attroff(A_BOLD);
    if (top->cursor < top->top)
        top->top = top->cursor;
    else if (top->cursor + 1 > top->top + rows)
        top->top = top->cursor + 1 - rows;
    for (guint i = top->top; i < top->shown->len && y < LINES - 1; i++)
        draw_job(y++, top->shown->pdata[i], i == top->cursor);
}

static guint count_waiting(const Top *top)
{
    guint count = 0;

    for (guint i = 0; i < json_length(top->nodes); i++)
        count += waits(json_at(top->nodes, i));
    return count;
}

static void draw(Top *top)
{
    guint pending = count_waiting(top);
    g_autofree char *more = pending ? g_strdup_printf(", %u pending", pending) : g_strdup("");
    int y;

    erase();
    put(0, 0, "sojourn top   %u nodes%s   %u jobs, by %s%s%s", json_length(top->nodes) - pending, more, top->shown->len, orders[top->order].name,
        top->filter && *top->filter ? ", with " : "", top->filter ? top->filter : "");
    y = draw_nodes(top, 1, top->nodes_only ? LINES - 2 - top->totals : MAX(LINES / 2 - 3, 1));
    if (!top->nodes_only)
        draw_jobs(top, y);
    put(LINES - 1, 0, "%s", top->said ? top->said : HELP);
    refresh();
}

/* Commands */

/* A line typed at the bottom (g_free); NULL: given up. */
static char *ask_line(const char *question)
{
    char line[200] = "";
    int result;

    mvhline(LINES - 1, 0, ' ', COLS);
    put(LINES - 1, 0, "%s ", question);
    echo();
    curs_set(1);
    timeout(-1);
    result = getnstr(line, sizeof line - 1);
    timeout(REFRESH_MS);
    curs_set(0);
    noecho();
    return result == OK ? g_strdup(g_strstrip(line)) : NULL;
}

static void order_job(Top *top, const char *method, Json *params, const char *done)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Json) result = NULL;

    put(LINES - 1, 0, "...%*s", COLS, "");
    refresh();
    result = client_try(method, params, 120000, &error);
    g_free(top->said);
    top->said = g_strdup(result ? done : error ? error->message : "no answer");
    look(top);
}

static Json *selected(const Top *top)
{
    return top->shown->len ? client_job(json_get_string(top->shown->pdata[top->cursor], "id", "")) : NULL;
}

static void go_to(Top *top, const char *where)
{
    Json *params = selected(top);

    if (params)
        order_job(top, "job.migrate", json_set_string(params, "node", where), "The job has moved");
}

static void kill_it(Top *top)
{
    g_autofree char *answer = top->shown->len ? ask_line("End this job? (y)") : NULL;

    if (answer && g_str_equal(answer, "y"))
        order_job(top, "job.kill", json_set_int(selected(top), "signal", SIGTERM), "The job was told to end");
}

static void ask_filter(Top *top)
{
    g_free(top->filter);
    top->filter = ask_line("Only jobs with:");
    choose_shown(top);
}

static void ask_go(Top *top)
{
    g_autofree char *where = top->shown->len ? ask_line("To which node (or home, best)?") : NULL;

    if (where && *where)
        go_to(top, where);
}

static gboolean set_layout(Top *top, int key)
{
    static const struct {
        int key;
        ChartLayout layout;
    } layouts[] = { { 'w', CHART_WIDE }, { 'v', CHART_UPRIGHT }, { 'V', CHART_TIGHT }, { 'a', CHART_AUTO }, { 'b', CHART_ROWS } };

    for (gsize i = 0; i < G_N_ELEMENTS(layouts); i++) {
        if (layouts[i].key != key)
            continue;
        top->layout = layouts[i].layout;
        return TRUE;
    }
    return FALSE;
}

/* FALSE: that was the last one. */
static gboolean key_pressed(Top *top, int key)
{
    g_clear_pointer(&top->said, g_free);
    if (key == 'q')
        return FALSE;
    if (key > 0 && key < 128 && strchr("lLmrsu", key))
        top->what = key;
    else if (key == 'd')
        top->dead = !top->dead;
    else if (key == 't')
        top->totals = !top->totals;
    else if (set_layout(top, key))
        ;
    else if (key == KEY_RIGHT || (key == KEY_LEFT && top->first))
        top->first += key == KEY_RIGHT ? 1 : -1;
    else if (key == 'o')
        top->order = (top->order + 1) % G_N_ELEMENTS(orders);
    else if (key == KEY_DOWN || key == 'j')
        top->cursor++;
    else if ((key == KEY_UP || key == 'k') && top->cursor)
        top->cursor--;
    else if (key == '/')
        ask_filter(top);
    else if (key == 'g')
        ask_go(top);
    else if (key == 'h')
        go_to(top, "home");
    else if (key == 'K')
        kill_it(top);
    choose_shown(top);
    return TRUE;
}

static void run(Top *top)
{
    int key;

    initscr();
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    curs_set(0);
    timeout(REFRESH_MS);
    look(top);
    for (;;) {
        draw(top);
        key = getch();
        if (key == ERR || key == KEY_RESIZE)
            look(top);
        else if (!key_pressed(top, key))
            break;
    }
    endwin();
}

static int snapshot(void)
{
    g_autoptr(Json) all = json_object();
    Json *nodes, *jobs;
    int status;

    nodes = client_call("node.list", nodes_wanted(), 30000, &status);
    jobs = nodes ? client_call("job.list", NULL, 30000, &status) : NULL;
    json_set(json_set(all, "nodes", nodes), "jobs", jobs);
    if (jobs)
        client_print_json(all);
    return jobs ? 0 : status;
}

/* The node to begin with, by number or name. */
static guint find_node(const Top *top, const char *text)
{
    for (guint i = 0; i < json_length(top->nodes); i++) {
        Json *row = json_at(top->nodes, i);
        g_autofree char *number = g_strdup_printf("%u", address_number(json_get_string(row, "address", "")));

        if (g_str_equal(text, number) || g_str_equal(text, json_get_string(row, "name", "")))
            return i;
    }
    return 0;
}

static int watch(Top *top, const char *from)
{
    int status;

    top->jobs = client_call("job.list", NULL, 30000, &status);
    top->nodes = top->jobs ? client_call("node.list", nodes_wanted(), 30000, &status) : NULL;
    if (top->nodes) {
        top->first = from ? find_node(top, from) : 0;
        top->shown = g_ptr_array_new();
        run(top);
        g_ptr_array_unref(top->shown);
        status = 0;
    }
    json_unref(top->nodes);
    json_unref(top->jobs);
    g_free(top->filter);
    g_free(top->said);
    return status;
}

int cmd_top(int argc, char **argv)
{
    gboolean as_json = FALSE, alive = FALSE;
    Top top = { .what = 'l', .dead = TRUE };
    g_autofree char *bars = NULL, *chart = NULL, *from = NULL;
    const GOptionEntry options[] = {
        OPTION_JSON(&as_json),
        { "bars", 0, 0, G_OPTION_ARG_STRING, &bars, "What the bars show at first: l, L, m, r, s or u", "KEY" },
        { "chart", 0, 0, G_OPTION_ARG_STRING, &chart, "How they stand at first: w, v, V, a (upright) or b (lying)", "KEY" },
        { "from", 0, 0, G_OPTION_ARG_STRING, &from, "Upright bars begin with this node", "NODE" },
        { "alive", 0, 0, G_OPTION_ARG_NONE, &alive, "Without nodes that do not answer", NULL },
        { "totals", 0, 0, G_OPTION_ARG_NONE, &top.totals, "With totals", NULL },
        { "nodes-only", 0, 0, G_OPTION_ARG_NONE, &top.nodes_only, "Without jobs", NULL },
        { NULL }
    };

    if (!client_words(&argc, &argv, options, 0, 0))
        return 2;
    if ((bars && (strlen(bars) != 1 || !strchr("lLmrsu", *bars))) || (chart && (strlen(chart) != 1 || !set_layout(&top, *chart)))) {
        log_error("there is no such key; \"sojourn top --help\" has them");
        return 2;
    }
    if (as_json)
        return snapshot();
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        log_error("top wants a terminal; \"sojourn top --json\" shows the same once");
        return 1;
    }
    top.what = bars ? *bars : top.what;
    top.dead = !alive;
    return watch(&top, from);
}
