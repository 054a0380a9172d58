/* SPDX-License-Identifier: GPL-2.0-or-later */
/* world.c - a cluster in the simulator (see world.h) */
#include "world.h"

#include "balance/vector.h"

#include <math.h>
#include <string.h>

#define STEP 0.25
#define LINK_BYTES 110e6    /* a second: a gigabit */
#define MOVE_S 0.5
#define ISLANDS 2
#define STANDSTILL_S 0.05
#define SAMPLE 251          /* of so many messages one is written out, to know how long they are */

typedef struct {
    double left, came_s, here_s;
    guint node, moves;
    int to;                 /* on its way there; -1 */
    double arrives_s;
    gboolean over;
} SimJob;

typedef struct {
    GArray *jobs;           /* guint */
    double coming;          /* demand on its way here */
    guint64 coming_bytes;
    guint arrivals, departures;
    guint64 resident;
    Vector vector;
    guint64 stamp, received;
} SimNode;

typedef struct {
    const Plan *plan;
    const WorldOptions *options;
    BalanceRules rules;
    GRand *rand;
    guint32 seed;
    double now_s;
    SimJob *jobs;
    SimNode *nodes;
    guint next, running;
    guint64 messages, sampled, sampled_bytes;
    WorldResult result;
} World;

static gint64 now_us(const World *world)
{
    return world->now_s * G_USEC_PER_SEC;
}

/* What a node would measure of itself; leaving jobs do not count any more, coming ones do. */
static BalanceNode measure(World *world, guint index, gboolean noisy)
{
    SimNode *node = &world->nodes[index];
    const NodePlan *plan = &world->plan->nodes[index];
    BalanceNode self = {.cpus = plan->cpus, .speed = plan->speed, .memory_total = plan->memory, .takes = TRUE};
    guint64 used = node->resident + node->coming_bytes;

    for (guint i = 0; i < node->jobs->len; i++) {
        guint job = g_array_index(node->jobs, guint, i);

        if (world->jobs[job].to < 0)
            self.demand += world->plan->jobs[job].wants;
    }
    if (noisy && world->options->noise > 0)
        self.demand *= 1 + world->options->noise * g_rand_double_range(world->rand, -1, 1) / sqrt(1 + node->jobs->len);
    self.demand += node->coming;
    self.memory_free = self.memory_total > used ? self.memory_total - used : 0;
    return self;
}

static void node_add(World *world, guint index, guint job)
{
    g_array_append_val(world->nodes[index].jobs, job);
    world->nodes[index].resident += world->plan->jobs[job].bytes;
    world->jobs[job].node = index;
    world->jobs[job].here_s = world->now_s;
}

static void node_remove(World *world, guint index, guint job)
{
    SimNode *node = &world->nodes[index];

    for (guint i = 0; i < node->jobs->len; i++) {
        if (g_array_index(node->jobs, guint, i) != job)
            continue;
        g_array_remove_index_fast(node->jobs, i);
        node->resident -= world->plan->jobs[job].bytes;
        return;
    }
    g_assert_not_reached();
}

/* Moves */

static void move_begin(World *world, guint job, guint to, double slowness, BalanceReason reason)
{
    const JobPlan *plan = &world->plan->jobs[job];
    SimJob *state = &world->jobs[job];
    SimNode *from = &world->nodes[state->node], *there = &world->nodes[to];
    BalanceNode exact = measure(world, to, FALSE);

    if (exact.memory_free < plan->bytes)
        world->result.overrun++;
    if (there->arrivals >= world->options->parallel ||
        !balance_consents(&world->rules, &exact, plan->wants, plan->bytes, slowness, reason)) {
        world->result.refused++;
        return;
    }
    from->departures++;
    there->arrivals++;
    there->coming += plan->wants;
    there->coming_bytes += plan->bytes;
    state->to = to;
    state->arrives_s = world->now_s + MOVE_S + plan->bytes * from->departures / LINK_BYTES;
}

static void move_end(World *world, guint job)
{
    const JobPlan *plan = &world->plan->jobs[job];
    SimJob *state = &world->jobs[job];
    SimNode *there = &world->nodes[state->to];
    guint to = state->to;

    world->nodes[state->node].departures--;
    there->arrivals--;
    there->coming -= plan->wants;
    there->coming_bytes -= plan->bytes;
    state->to = -1;
    if (state->over)
        return;
    node_remove(world, state->node, job);
    node_add(world, to, job);
    state->left += STANDSTILL_S * world->plan->nodes[to].speed; /* it stood still */
    state->moves++;
    world->result.migrations++;
    world->result.most_moves = MAX(world->result.most_moves, state->moves);
}

/* A node's second */

/* How long the message would be. */
static void weigh(World *world, const VectorEntry *entries, guint count)
{
    guint bytes = strlen("{\"jsonrpc\":\"2.0\",\"method\":\"load.news\",\"params\":{\"nodes\":[]}}\n");

    for (guint i = 0; i < count; i++) {
        g_autofree char *name = g_strdup_printf("node%u", entries[i].id);
        g_autoptr(Json) json = vector_entry_json(&entries[i], name, now_us(world));
        g_autofree char *text = json_print(json);

        bytes += strlen(text) + 1;
    }
    world->sampled++;
    world->sampled_bytes += bytes;
}

static void gossip(World *world, guint index)
{
    const VectorEntry *picked[VECTOR_WINDOW];
    VectorEntry news[VECTOR_WINDOW + 1];
    guint count = vector_pick(&world->nodes[index].vector, picked) + 1;

    news[0] = (VectorEntry){.id = index + 1, .stamp = ++world->nodes[index].stamp, .at_us = now_us(world),
                            .node = measure(world, index, TRUE)};
    for (guint i = 1; i < count; i++)
        news[i] = *picked[i - 1];
    for (guint i = 0; i < VECTOR_PEERS && world->plan->n_nodes > 1; i++) {
        guint random = g_rand_int_range(world->rand, 0, world->plan->n_nodes - 1), to = random < index ? random : random + 1;

        if (world->messages++ % SAMPLE == 0)
            weigh(world, news, count);
        vector_take_all(&world->nodes[to].vector, news, count);
        world->nodes[to].received++;
    }
}

/* Whether a job may go to a node of the vector. */
typedef struct {
    const World *world;
    const SimNode *node;
    const guint *jobs;
} Question;

static gboolean may(guint job, guint node, gpointer user)
{
    const Question *question = user;
    const Plan *plan = question->world->plan;

    return plan->jobs[question->jobs[job]].island == plan->nodes[question->node->vector.entries[node].id - 1].island;
}

static void decide(World *world, guint index)
{
    SimNode *node = &world->nodes[index];
    BalanceNode self = measure(world, index, TRUE), others[VECTOR_WINDOW];
    BalanceMove moves[16];
    guint parallel = MIN(world->options->parallel, G_N_ELEMENTS(moves)), count, n = node->jobs->len;
    g_autofree BalanceJob *jobs = NULL;
    Question question = {world, node, (const guint *)(const void *)node->jobs->data};

    if (node->departures >= parallel || !n)
        return;
    vector_age(&node->vector, now_us(world));
    for (guint i = 0; i < node->vector.count; i++)
        others[i] = node->vector.entries[i].node;
    jobs = g_new(BalanceJob, n);
    for (guint i = 0; i < n; i++) {
        guint job = g_array_index(node->jobs, guint, i);
        const SimJob *state = &world->jobs[job];

        jobs[i] = (BalanceJob){.demand = world->plan->jobs[job].wants, .bytes = world->plan->jobs[job].bytes,
                               .age_s = world->now_s - state->came_s, .here_s = world->now_s - state->here_s,
                               .moves = state->moves, .movable = state->to < 0};
    }
    count = balance_decide(&world->rules, &self, jobs, n, others, node->vector.count,
                           world->plan->islands > 1 ? may : NULL, &question, &world->seed, moves, parallel - node->departures);
    for (guint i = 0; i < count; i++) {
        guint job = g_array_index(node->jobs, guint, moves[i].job);

        vector_promise(&node->vector, node->vector.entries[moves[i].node].id, &jobs[moves[i].job], now_us(world));
        move_begin(world, job, node->vector.entries[moves[i].node].id - 1, moves[i].slowness, moves[i].reason);
    }
}

/* A step */

static void arrive(World *world)
{
    const Plan *plan = world->plan;

    for (; world->next < plan->n_jobs && plan->jobs[world->next].arrival_s <= world->now_s; world->next++) {
        const JobPlan *job = &plan->jobs[world->next];
        guint at = job->home;
        SimNode *home = &world->nodes[at];

        if (world->options->best) {
            BalanceNode self = measure(world, at, FALSE), others[VECTOR_WINDOW];
            BalanceJob wanted = {.demand = 1, .bytes = job->bytes};
            Question question = {world, home, &world->next};
            int node;

            for (guint i = 0; i < home->vector.count; i++)
                others[i] = home->vector.entries[i].node;
            node = balance_place(&world->rules, &self, &wanted, others, home->vector.count, plan->islands > 1 ? may : NULL, &question,
                                 &world->seed);
            if (node >= 0) {
                guint there = home->vector.entries[node].id - 1;
                BalanceNode exact = measure(world, there, FALSE);

                vector_promise(&home->vector, there + 1, &wanted, now_us(world));
                if (exact.memory_free > job->bytes)
                    at = there;
            }
        }
        world->jobs[world->next] = (SimJob){.left = job->work, .came_s = world->now_s, .to = -1};
        node_add(world, at, world->next);
        world->running++;
    }
}

static void job_over(World *world, guint job)
{
    SimJob *state = &world->jobs[job];
    double alone = world->plan->jobs[job].work / world->plan->jobs[job].wants;

    state->over = TRUE;
    node_remove(world, state->node, job);
    world->running--;
    world->result.makespan_s = world->now_s;
    world->result.mean_slowdown += (world->now_s - state->came_s) / alone / world->plan->n_jobs;
}

static void work(World *world, guint index)
{
    SimNode *node = &world->nodes[index];
    const NodePlan *plan = &world->plan->nodes[index];
    double wanted = 0, rate;

    for (guint i = 0; i < node->jobs->len; i++)
        wanted += world->plan->jobs[g_array_index(node->jobs, guint, i)].wants;
    rate = plan->speed * MIN(1, plan->cpus / MAX(wanted, 0.01)) * STEP;
    for (guint i = node->jobs->len; i-- > 0;) {
        guint job = g_array_index(node->jobs, guint, i);
        SimJob *state = &world->jobs[job];

        state->left -= rate * world->plan->jobs[job].wants;
        if (state->left <= 0)
            job_over(world, job);
        if (state->to >= 0 && (state->over || world->now_s >= state->arrives_s))
            move_end(world, job);
    }
}

/* How far the worst place is from what the jobs have on average; and whether, on each island, nobody could gain a quarter. */
static void look(World *world)
{
    double worst[ISLANDS] = {0}, best[ISLANDS], sum = 0, most = 0;
    gboolean even = TRUE;

    for (guint k = 0; k < ISLANDS; k++)
        best[k] = G_MAXDOUBLE;
    for (guint i = 0; i < world->plan->n_nodes; i++) {
        BalanceNode node = measure(world, i, FALSE);
        double slowness = balance_slowness(&node, 0);
        guint island = world->plan->nodes[i].island;

        if (world->nodes[i].jobs->len)
            worst[island] = MAX(worst[island], slowness);
        best[island] = MIN(best[island], balance_slowness(&node, 1));
        sum += slowness * world->nodes[i].jobs->len;
    }
    for (guint k = 0; k < world->plan->islands; k++) {
        even = even && worst[k] <= 1.25 * best[k];
        most = MAX(most, worst[k]);
    }
    if (world->running) {
        double ratio = most * world->running / sum;

        g_array_append_val(world->result.curve, ratio);
    }
    if (world->result.even_s < 0 && world->next == world->plan->n_jobs && even)
        world->result.even_s = world->now_s;
}

static gboolean is_over(const World *world)
{
    return world->options->settle_s > 0 ? world->now_s >= world->options->settle_s
                                        : world->next == world->plan->n_jobs && !world->running;
}

WorldResult world_run(const Plan *plan, const WorldOptions *options)
{
    World world = {.plan = plan, .options = options, .rules = BALANCE_RULES, .seed = options->seed | 1};
    guint64 most = 0, steps = 0;

    world.rand = g_rand_new_with_seed(options->seed);
    world.jobs = g_new0(SimJob, plan->n_jobs);
    world.nodes = g_new0(SimNode, plan->n_nodes);
    world.result.even_s = -1;
    world.result.curve = g_array_new(FALSE, FALSE, sizeof(double));
    for (guint i = 0; i < plan->n_nodes; i++) {
        world.nodes[i].jobs = g_array_new(FALSE, FALSE, sizeof(guint));
        vector_init(&world.nodes[i].vector, i + 1);
    }
    for (; !is_over(&world); steps++, world.now_s += STEP) {
        arrive(&world);
        for (guint i = 0; i < plan->n_nodes; i++) {
            work(&world, i);
            if ((i * 2654435761u >> 7) % 4 == steps % 4) { /* its second begins */
                gossip(&world, i);
                decide(&world, i);
            }
        }
        if (steps % 4 == 0)
            look(&world);
    }
    for (guint i = 0; i < plan->n_nodes; i++) {
        most = MAX(most, world.nodes[i].received);
        g_array_unref(world.nodes[i].jobs);
    }
    if (world.sampled) {
        double each = (double)world.sampled_bytes / world.sampled;

        world.result.bytes_sent = each * world.messages / plan->n_nodes / world.now_s;
        world.result.bytes_most = each * most / world.now_s;
    }
    world.result.per_job = (double)world.result.migrations / plan->n_jobs;
    g_rand_free(world.rand);
    g_free(world.jobs);
    g_free(world.nodes);
    return world.result;
}
