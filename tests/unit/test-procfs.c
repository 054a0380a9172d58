/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-procfs.c - openMosix's files: which paths there are, what they say, what writing to them becomes */
#include "cli/procfs.h"

static const char nodes_text[] =
    "[{\"name\":\"node1\",\"address\":\"192.168.10.220\",\"state\":\"alive\",\"cpus\":2,\"load\":1.5,\"speed\":9000,"
    "\"memory_total_bytes\":4294967296,\"memory_free_bytes\":1024,\"stay\":true,\"stay_own\":true,\"version\":\"0.1.0\"},"
    "{\"name\":\"node2\",\"address\":\"192.168.10.221\",\"state\":\"blocked\",\"cpus\":4,\"load\":0.254,\"block\":true,\"quiet\":true},"
    "{\"name\":\"node3\",\"address\":\"::1\",\"state\":\"failed\"}]";
static const char jobs_text[] = "[{\"id\":\"a\",\"pid\":4711,\"home\":\"node2\"},{\"id\":\"b\",\"pid\":4711,\"home\":\"node1\"}]";

static ProcfsPlace place(const char *path)
{
    ProcfsPlace found = { 0 };

    if (!procfs_place(path, &found))
        g_error("there is no %s", path);
    return found;
}

static void test_places(void)
{
    static const char *const none[] = { "/hpc/x", "/hpc/remote/x", "/hpc/remote/12/x", "/hpc/remote/12/from/x", "/hpc/nodes//load", "/hpc/nodes/1/x", "/hpc/nodes/1/load/x", "/hpc/admin/x", "/0",
                                        "/x", "/12x", "/-1", "/012", "/99999999999", "/4711/x", "/4711/lock/x", "/hpc/admin/stay/x",
                                        "/hpc/admin/", "/hpc/nodes/0123456789012345678901234567890123456789012345678901234567890123" };

    g_assert_cmpint(place("/").level, ==, PROCFS_ROOT);
    g_assert_cmpint(place("/hpc").level, ==, PROCFS_HPC);
    g_assert_cmpint(place("/hpc/nodes").level, ==, PROCFS_NODES);
    g_assert_cmpint(place("/hpc/admin").level, ==, PROCFS_FOLDER);
    g_assert_cmpint(place("/hpc/admin").kind, ==, PROCFS_ADMIN);
    g_assert_null(place("/hpc/admin").file);
    g_assert_cmpstr(place("/hpc/admin/stay").file->name, ==, "stay");
    g_assert_cmpint(place("/hpc/nodes/2780").kind, ==, PROCFS_NODE);
    g_assert_cmpstr(place("/hpc/nodes/node1/load").of, ==, "node1");
    g_assert_cmpint(place("/4711").kind, ==, PROCFS_JOB);
    g_assert_cmpstr(place("/4711/lock").file->name, ==, "lock");
    g_assert_cmpstr(place("/4711/lock").of, ==, "4711");
    for (gsize i = 0; i < G_N_ELEMENTS(none); i++) {
        ProcfsPlace found;

        if (procfs_place(none[i], &found))
            g_error("there is a %s", none[i]);
    }
}

static void says(const char *path, Json *row, Json *nodes, const char *wanted)
{
    g_autofree char *text = place(path).file->show(row, nodes);

    g_assert_cmpstr(text, ==, wanted);
}

static void test_remote(void)
{
    g_autoptr(Json) nodes = json_parse(nodes_text, -1, NULL), jobs = json_parse(jobs_text, -1, NULL);
    Json *guest = procfs_guest(jobs, nodes, "4711");

    g_assert_cmpint(place("/hpc/remote").level, ==, PROCFS_GUESTS);
    g_assert_cmpint(place("/hpc/remote/4711").kind, ==, PROCFS_REMOTE);
    g_assert_cmpstr(json_get_string(guest, "id", ""), ==, "a");
    g_assert_null(procfs_guest(jobs, nodes, "4712"));
    json_set_string(guest, "command", "a\nb");
    json_set_string(guest, "user", "ann");
    json_set_int(guest, "memory_bytes", 8192);
    says("/hpc/remote/4711/from", guest, nodes, "2781\n");
    says("/hpc/remote/4711/identity", guest, nodes, "pid=4711 user=ann name= command=a b\n");
    says("/hpc/remote/4711/statm", guest, nodes, "2\n");
    says("/hpc/remote/4711/stats", guest, nodes, "cpu=0 nmigs=0 state=\n");
    says("/hpc/admin/config", json_at(nodes, 0), nodes, "2780 192.168.10.220 1\n2781 192.168.10.221 1\n");
}

static void test_mask(void)
{
    g_autoptr(Json) nodes = json_parse(nodes_text, -1, NULL), job = json_parse("{}", -1, NULL);
    g_autoptr(Json) list = json_parse("[\"node2\",\"node3\"]", -1, NULL);

    says("/1/migfilter", job, nodes, "0\n");
    says("/1/mignodes", job, nodes, "");
    json_set(job, "avoid", json_ref(list));
    says("/1/migfilter", job, nodes, "1\n");
    says("/1/migpolicy", job, nodes, "0\n");
    says("/1/mignodes", job, nodes, "2781\nnode3\n");
    json_set(job, "avoid", NULL);
    json_set(job, "only", json_ref(list));
    says("/1/migfilter", job, nodes, "1\n");
    says("/1/migpolicy", job, nodes, "1\n");
}

static void test_nodes(void)
{
    g_autoptr(Json) nodes = json_parse(nodes_text, -1, NULL);
    Json *one = procfs_node(nodes, "2780"), *two = procfs_node(nodes, "node2"), *three = procfs_node(nodes, "node3");

    g_assert_true(one == json_at(nodes, 0) && two == json_at(nodes, 1) && three == json_at(nodes, 2));
    g_assert_null(procfs_node(nodes, "9"));
    says("/hpc/nodes/1/cpus", one, nodes, "2\n");
    says("/hpc/nodes/1/CPUs", two, nodes, "4\n");
    says("/hpc/nodes/1/load", one, nodes, "150\n");
    says("/hpc/nodes/1/load", two, nodes, "25\n");
    says("/hpc/nodes/1/util", one, nodes, "100\n");
    says("/hpc/nodes/1/util", two, nodes, "25\n");
    says("/hpc/nodes/1/speed", one, nodes, "9000\n");
    says("/hpc/nodes/1/mem", one, nodes, "1024\n");
    says("/hpc/nodes/1/rmem", one, nodes, "1024\n");
    says("/hpc/nodes/1/tmem", one, nodes, "4294967296\n");
    says("/hpc/nodes/1/status", one, nodes, "15\n");
    says("/hpc/nodes/1/status", two, nodes, "51\n");
    says("/hpc/nodes/1/status", three, nodes, "1\n");
    says("/hpc/nodes/1/cpus", three, nodes, "-101\n");
    says("/hpc/admin/stay", one, nodes, "1\n");
    says("/hpc/admin/block", one, nodes, "0\n");
    says("/hpc/admin/expel", two, nodes, "1\n");
    says("/hpc/admin/bring", one, nodes, "1\n");
    says("/hpc/admin/mospe", one, nodes, "2780\n");
    says("/hpc/admin/mospe", three, nodes, "node3\n");
    says("/hpc/admin/version", one, nodes, "0.1.0\n");
}

static void test_jobs(void)
{
    g_autoptr(Json) nodes = json_parse(nodes_text, -1, NULL), jobs = json_parse(jobs_text, -1, NULL);
    g_autoptr(Json) job = json_parse("{\"home\":\"node1\",\"node\":\"node2\",\"migrations\":3,\"locked\":true,"
                                     "\"stay\":[{\"code\":\"locked\",\"text\":\"the job is locked\"}]}", -1, NULL);

    g_assert_true(procfs_job(jobs, nodes, "4711") == json_at(jobs, 1)); /* the other's number is another machine's */
    g_assert_null(procfs_job(jobs, nodes, "4712"));
    says("/1/where", job, nodes, "2781\n");
    says("/1/home", job, nodes, "2780\n");
    says("/1/nmigs", job, nodes, "3\n");
    says("/1/lock", job, nodes, "1\n");
    says("/1/miggroup", job, nodes, "0\n");
    json_set_string(job, "group", "five");
    says("/1/miggroup", job, nodes, "five\n");
    says("/1/cantmove", job, nodes, "locked: the job is locked\n");
    json_set_string(job, "node", "node1");
    json_set_bool(job, "locked", FALSE);
    json_remove(job, "stay");
    says("/1/where", job, nodes, "0\n");
    says("/1/lock", job, nodes, "0\n");
    says("/1/cantmove", job, nodes, "");
    json_set_string(job, "node", "node9");
    says("/1/where", job, nodes, "node9\n");
    g_assert_null(place("/1/goto").file->show);
    g_assert_null(place("/1/where").file->order);
    g_assert_null(place("/hpc/nodes/1/load").file->order);
}

/* wanted NULL: it means nothing. */
static void orders(const char *path, const char *text, const char *method, const char *params)
{
    g_autofree char *printed = NULL;
    ProcfsOrder order = { 0 };

    if (!place(path).file->order(text, &order)) {
        g_assert_null(method);
        return;
    }
    printed = order.params ? json_print(order.params) : NULL;
    g_assert_cmpstr(order.method, ==, method);
    g_assert_cmpstr(printed, ==, params);
    g_assert_true(order.all == (g_str_equal(method, "node.expel") || g_str_equal(method, "node.bring")));
    json_unref(order.params);
}

static void test_orders(void)
{
    orders("/1/goto", "2781", "job.migrate", "{\"node\":\"2781\"}");
    orders("/1/migrate", "0", "job.migrate", "{\"node\":\"home\"}");
    orders("/1/goto", "balance", "job.migrate", "{\"node\":\"best\"}");
    orders("/1/miggroup", "5", "job.group", "{\"group\":\"5\"}");
    orders("/1/lock", "1", "job.lock", "{\"locked\":true}");
    orders("/1/lock", "0", "job.lock", "{\"locked\":false}");
    orders("/1/lock", "2", NULL, NULL);
    orders("/hpc/admin/stay", "1", "node.standing", "{\"stay\":true}");
    orders("/hpc/admin/lstay", "0", "node.standing", "{\"stay_own\":false}");
    orders("/hpc/admin/block", "1", "node.standing", "{\"block\":true}");
    orders("/hpc/admin/quiet", "on", NULL, NULL);
    orders("/hpc/admin/expel", "1", "node.expel", NULL);
    orders("/hpc/admin/expel", "0", "node.standing", "{\"block\":false}");
    orders("/hpc/admin/bring", "1", "node.bring", NULL);
    orders("/hpc/admin/bring", "0", "node.standing", "{\"stay_own\":false}");
    orders("/hpc/admin/bring", "", NULL, NULL);
    orders("/hpc/admin/speed", "4000", "node.standing", "{\"speed\":4000}");
    orders("/hpc/admin/speed", "-1", NULL, NULL);
    orders("/hpc/admin/mospe", "0", "node.stop", NULL);
    orders("/hpc/admin/mospe", "5", NULL, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/procfs/places", test_places);
    g_test_add_func("/procfs/nodes", test_nodes);
    g_test_add_func("/procfs/remote", test_remote);
    g_test_add_func("/procfs/mask", test_mask);
    g_test_add_func("/procfs/jobs", test_jobs);
    g_test_add_func("/procfs/orders", test_orders);
    return g_test_run();
}
