/* SPDX-License-Identifier: GPL-2.0-or-later */
/* explore.c - every order of events of a migration: what must always hold, and how it must end
 *
 * Breadth first over the states of model.h, so that the first trace to a fault is a shortest one. A
 * state is kept as a hash of 128 bits only; the states of one depth are kept whole. In the end the
 * steps that are no faults are walked backwards from the good states: where that does not lead
 * there is a state from which the job can never recover. Then rules are left out one by one, and
 * the explorer must find what each was there for.
 *
 * EXPLORE_FAULTS=N looks deeper than make check does (3: minutes and gigabytes), EXPLORE_TRACE=1
 * prints what was found.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

#define STATES_MAX (60u << 20)

typedef struct {
    guint64 hash[2];
    guint32 parent;
    guint32 what;      /* index of the step that led here */
} Node;

typedef struct {
    guint32 from, to;
} Edge;

typedef struct {
    ModelConfig config;
    GArray *nodes;           /* of Node */
    GArray *edges;           /* of Edge: steps that are no faults */
    GArray *good;            /* of guint32 */
    guint32 *table;          /* open addressing; index + 1 */
    gsize table_size;
    GArray *now, *next;      /* of State */
    guint32 now_first;       /* index of the first of them */
    guint32 current;
    GHashTable *whats;       /* text of a step to its index + 1 */
    GPtrArray *texts;
    const char *broken;
    guint32 broken_at;
} Explorer;

static guint64 mix(guint64 hash, guint64 word, guint64 factor)
{
    hash = (hash ^ word) * factor;
    return hash ^ hash >> 29;
}

static void state_hash(const State *state, guint64 ret_hash[2])
{
    const guint8 *bytes = (const guint8 *)state;
    guint64 word;

    ret_hash[0] = 0x9ae16a3b2f90404fu;
    ret_hash[1] = 0xc3a5c85c97cb3127u;
    for (gsize i = 0; i < sizeof(*state); i += sizeof(word)) {
        word = 0;
        memcpy(&word, bytes + i, MIN(sizeof(word), sizeof(*state) - i));
        ret_hash[0] = mix(ret_hash[0], word, 0xff51afd7ed558ccdu);
        ret_hash[1] = mix(ret_hash[1], word, 0xc4ceb9fe1a85ec53u);
    }
}

static void table_grow(Explorer *explorer)
{
    gsize size = explorer->table_size ? explorer->table_size * 2 : 1u << 16;

    g_free(explorer->table);
    explorer->table = g_new0(guint32, size);
    explorer->table_size = size;
    for (guint32 i = 0; i < explorer->nodes->len; i++) {
        gsize slot = g_array_index(explorer->nodes, Node, i).hash[0] & (size - 1);

        while (explorer->table[slot])
            slot = (slot + 1) & (size - 1);
        explorer->table[slot] = i + 1;
    }
}

static guint32 what_index(Explorer *explorer, const char *what)
{
    gpointer index = g_hash_table_lookup(explorer->whats, what);

    if (!index) {
        g_ptr_array_add(explorer->texts, g_strdup(what));
        index = GUINT_TO_POINTER(explorer->texts->len);
        g_hash_table_insert(explorer->whats, explorer->texts->pdata[explorer->texts->len - 1],
                            index);
    }
    return GPOINTER_TO_UINT(index) - 1;
}

/* Index of the state; a new one is queued. */
static guint32 visit(Explorer *explorer, const State *state, const char *what)
{
    Node node = { .parent = explorer->current };
    gsize slot;

    if (explorer->nodes->len * 2 >= explorer->table_size)
        table_grow(explorer);
    state_hash(state, node.hash);
    slot = node.hash[0] & (explorer->table_size - 1);
    for (; explorer->table[slot]; slot = (slot + 1) & (explorer->table_size - 1))
        if (memcmp(g_array_index(explorer->nodes, Node, explorer->table[slot] - 1).hash, node.hash,
                   sizeof(node.hash)) == 0)
            return explorer->table[slot] - 1;
    node.what = what_index(explorer, what);
    g_array_append_val(explorer->nodes, node);
    explorer->table[slot] = explorer->nodes->len;
    g_array_append_val(explorer->next, *state);
    if (model_good(state)) {
        guint32 index = explorer->nodes->len - 1;

        g_array_append_val(explorer->good, index);
    }
    if (!explorer->broken && (explorer->broken = model_broken(state)))
        explorer->broken_at = explorer->nodes->len - 1;
    return explorer->nodes->len - 1;
}

static void on_step(const State *next, const char *what, gboolean fault, gpointer user)
{
    Explorer *explorer = user;
    guint32 index = visit(explorer, next, what);
    Edge edge = { explorer->current, index };

    if (!fault && edge.from != edge.to)
        g_array_append_val(explorer->edges, edge);
}

/* The steps that lead to a state. */
static void print_trace(Explorer *explorer, guint32 index)
{
    g_autoptr(GArray) path = g_array_new(FALSE, FALSE, sizeof(guint32));

    for (guint32 i = index; i != 0; i = g_array_index(explorer->nodes, Node, i).parent)
        g_array_append_val(path, i);
    for (guint i = path->len; i-- > 0;) {
        const Node *node = &g_array_index(explorer->nodes, Node, g_array_index(path, guint32, i));

        printf("#   %2u %s\n", path->len - i, (char *)explorer->texts->pdata[node->what]);
    }
}

static void walk(Explorer *explorer)
{
    State start;

    model_start(&start);
    visit(explorer, &start, "start");
    while (explorer->next->len > 0 && !explorer->broken && explorer->nodes->len < STATES_MAX) {
        GArray *done = explorer->now;

        explorer->now = explorer->next;
        explorer->now_first = explorer->nodes->len - explorer->now->len;
        explorer->next = done;
        g_array_set_size(explorer->next, 0);
        for (guint i = 0; i < explorer->now->len; i++) {
            explorer->current = explorer->now_first + i;
            model_steps(&explorer->config, &g_array_index(explorer->now, State, i), on_step,
                        explorer);
        }
    }
}

static int compare_edges(const void *a, const void *b)
{
    const Edge *x = a, *y = b;

    return x->to < y->to ? -1 : x->to > y->to;
}

/* A state from which no good one can be reached without luck; G_MAXUINT32: none. */
static guint32 find_hopeless(Explorer *explorer)
{
    g_autofree guint8 *hope = g_new0(guint8, explorer->nodes->len);
    g_autofree guint32 *first = g_new0(guint32, explorer->nodes->len + 1);
    GArray *todo = explorer->good;
    Edge *edges = (Edge *)explorer->edges->data;

    qsort(edges, explorer->edges->len, sizeof(Edge), compare_edges);
    for (guint i = 0; i < explorer->edges->len; i++)
        first[edges[i].to + 1]++;
    for (guint i = 0; i < explorer->nodes->len; i++)
        first[i + 1] += first[i];
    for (guint i = 0; i < todo->len; i++)
        hope[g_array_index(todo, guint32, i)] = TRUE;
    while (todo->len > 0) {
        guint32 to = g_array_index(todo, guint32, todo->len - 1);

        g_array_set_size(todo, todo->len - 1);
        for (guint32 e = first[to]; e < first[to + 1]; e++) {
            if (hope[edges[e].from])
                continue;
            hope[edges[e].from] = TRUE;
            g_array_append_val(todo, edges[e].from);
        }
    }
    for (guint32 i = 0; i < explorer->nodes->len; i++)
        if (!hope[i])
            return i;
    return G_MAXUINT32;
}

/* Explores; TRUE when nothing is wrong. */
static gboolean explore(const ModelConfig *config, const char *title, gboolean trace)
{
    Explorer explorer = { .config = *config, .nodes = g_array_new(FALSE, FALSE, sizeof(Node)),
                          .edges = g_array_new(FALSE, FALSE, sizeof(Edge)),
                          .good = g_array_new(FALSE, FALSE, sizeof(guint32)),
                          .now = g_array_new(FALSE, FALSE, sizeof(State)),
                          .next = g_array_new(FALSE, FALSE, sizeof(State)),
                          .whats = g_hash_table_new(g_str_hash, g_str_equal),
                          .texts = g_ptr_array_new_with_free_func(g_free) };
    guint32 hopeless = G_MAXUINT32;

    walk(&explorer);
    if (!explorer.broken && explorer.nodes->len >= STATES_MAX)
        explorer.broken = "too many states to look at all of them";
    if (!explorer.broken)
        hopeless = find_hopeless(&explorer);
    printf("# %s: %u states, %u steps that are no faults", title, explorer.nodes->len,
           explorer.edges->len);
    if (explorer.broken)
        printf("; WRONG: %s\n", explorer.broken);
    else if (hopeless != G_MAXUINT32)
        printf("; WRONG: it can not end well\n");
    else
        printf("; all is well\n");
    if (trace && explorer.broken)
        print_trace(&explorer, explorer.broken_at);
    else if (trace && hopeless != G_MAXUINT32)
        print_trace(&explorer, hopeless);
    fflush(stdout);
    g_array_unref(explorer.nodes);
    g_array_unref(explorer.edges);
    g_array_unref(explorer.good);
    g_array_unref(explorer.now);
    g_array_unref(explorer.next);
    g_hash_table_unref(explorer.whats);
    g_ptr_array_unref(explorer.texts);
    g_free(explorer.table);
    return !explorer.broken && hopeless == G_MAXUINT32;
}

static guint number(const char *name, guint otherwise)
{
    const char *text = g_getenv(name);

    return text ? (guint)atoi(text) : otherwise;
}

int main(void)
{
    static const struct {
        const char *title;
        ModelConfig config;
    } wholes[] = {
        { "home is a third node", { HOME_ELSEWHERE, 2, 2, FALSE, 0 } },
        { "home is the source", { 0, 2, 2, FALSE, 0 } },
        { "home is the destination", { 1, 2, 2, FALSE, 0 } },
        { "the deputy may die", { HOME_ELSEWHERE, 1, 2, TRUE, 0 } },
        { "the guest goes on ahead", { HOME_ELSEWHERE, 2, 2, FALSE, 0, TRUE } },
        { "the guest goes on ahead, home is the source", { 0, 2, 2, FALSE, 0, TRUE } },
        { "the guest goes on ahead, home is the destination", { 1, 2, 2, FALSE, 0, TRUE } },
    }, mutants[] = {
        { "without holding FINISH3 back", { HOME_ELSEWHERE, 1, 2, FALSE, RULE_HOLD } },
        { "without throwing old answers away", { HOME_ELSEWHERE, 2, 3, FALSE, RULE_FRESH } },
        { "without waiting for operations", { HOME_ELSEWHERE, 2, 3, FALSE, RULE_OPERATION } },
        { "without waiting for COMMIT", { HOME_ELSEWHERE, 1, 2, FALSE, RULE_COMMIT } },
        { "without ABORT when settling", { HOME_ELSEWHERE, 1, 2, FALSE, RULE_SETTLE } },
        { "without ABORT before CANCEL", { HOME_ELSEWHERE, 1, 2, FALSE, RULE_CANCEL } },
    };
    guint test = 0, failed = 0, faults = number("EXPLORE_FAULTS", 0);

    printf("1..%u\n", (guint)(G_N_ELEMENTS(wholes) + G_N_ELEMENTS(mutants)));
    for (guint i = 0; i < G_N_ELEMENTS(wholes); i++) {
        ModelConfig config = wholes[i].config;
        gboolean well;

        config.faults = faults ? faults : config.faults;
        well = explore(&config, wholes[i].title, TRUE);
        failed += !well;
        printf("%sok %u %s\n", well ? "" : "not ", ++test, wholes[i].title);
    }
    for (guint i = 0; i < G_N_ELEMENTS(mutants);
         i++) { /* the explorer must find what is wrong with these */
        gboolean found =
            !explore(&mutants[i].config, mutants[i].title, g_getenv("EXPLORE_TRACE") != NULL);

        failed += !found;
        printf("%sok %u %s: found\n", found ? "" : "not ", ++test, mutants[i].title);
    }
    return failed != 0;
}
