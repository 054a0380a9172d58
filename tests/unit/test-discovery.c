/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-discovery.c - what goes between the main loop and the thread that asks Avahi, which hangs when it likes */
#include <string.h>

#include "cluster/discovery.h"
#include "cluster/seeker.h"
#include "wait-until.h"

/* ---- Stands for seeker.c ---- */

struct Seeker {
    SeekerEvents events;
    gpointer user;
};

static GThread *main_thread;
static gint hanging_ms, looked, published, ended; /* atomic */

Seeker *seeker_new(const SeekerEvents *events, gpointer user)
{
    Seeker *seeker = g_new(Seeker, 1);

    g_assert_true(g_thread_self() != main_thread);
    *seeker = (Seeker){*events, user};
    events->ready(TRUE, "", user);
    return seeker;
}

void seeker_free(Seeker *seeker)
{
    g_free(seeker);
    g_atomic_int_inc(&ended);
}

void seeker_look(Seeker *seeker, gboolean look)
{
    g_assert_true(g_thread_self() != main_thread);
    g_usleep(g_atomic_int_get(&hanging_ms) * 1000);
    if (look) {
        seeker->events.found("one", &(DiscoveryNode){"node1", "10.0.0.1", "aa", 7227}, seeker->user);
        seeker->events.found("two", &(DiscoveryNode){"node2", "10.0.0.2", "bb", 7228}, seeker->user);
        seeker->events.lost("two", seeker->user);
    } else
        seeker->events.lost("one", seeker->user);
    g_atomic_int_inc(&looked);
}

void seeker_publish(Seeker *seeker, const char *name, guint port, const char *fingerprint)
{
    g_assert_cmpstr(name, ==, "me");
    g_assert_cmpstr(fingerprint, ==, "cc");
    g_assert_cmpuint(port, ==, 7229);
    g_usleep(g_atomic_int_get(&hanging_ms) * 1000);
    g_atomic_int_inc(&published);
}

/* ---- The main loop's side ---- */

static GString *heard;

static void found(const char *service, const DiscoveryNode *node, gpointer user)
{
    g_assert_true(g_thread_self() == main_thread);
    g_string_append_printf(heard, "+%s %s %s %s %u;", service, node->name, node->address, node->fingerprint, node->port);
}

static void lost(const char *service, gpointer user)
{
    g_string_append_printf(heard, "-%s;", service);
}

static const DiscoveryEvents events = {found, lost};

static void test_news(void)
{
    g_autoptr(Discovery) discovery = discovery_new(&events, NULL);
    const char *remedy;
    g_autofree char *state = discovery_state(discovery, &remedy);

    g_assert_false(discovery_is_ready(discovery));
    g_assert_nonnull(strstr(state, "Avahi is not asked"));
    discovery_publish(discovery, NULL, 0, NULL); /* nothing is published: there is nobody to be asked */
    discovery_look(discovery, FALSE);
    g_string_truncate(heard, 0);
    discovery_look(discovery, TRUE);
    WAIT_UNTIL(g_str_has_suffix(heard->str, "-two;"));
    g_assert_cmpstr(heard->str, ==, "+one node1 10.0.0.1 aa 7227;+two node2 10.0.0.2 bb 7228;-two;");
    g_assert_true(discovery_is_ready(discovery));
    discovery_look(discovery, FALSE); /* at once, and once */
    g_assert_true(g_str_has_suffix(heard->str, "-two;-one;"));
    WAIT_UNTIL(g_atomic_int_get(&looked) == 2);
    for (guint turn = 0; turn < 50; turn++)
        g_main_context_iteration(NULL, FALSE);
    g_assert_true(g_str_has_suffix(heard->str, "-two;-one;"));
}

static void test_hangs(void)
{
    Discovery *discovery = discovery_new(&events, NULL);
    gint64 begun = g_get_monotonic_time();
    gint before = g_atomic_int_get(&ended);

    g_atomic_int_set(&hanging_ms, 400);
    g_atomic_int_set(&looked, 0);
    g_string_truncate(heard, 0);
    discovery_look(discovery, TRUE);
    discovery_look(discovery, FALSE);
    discovery_look(discovery, TRUE);
    discovery_publish(discovery, "me", 7229, "cc");
    g_assert_cmpint(g_get_monotonic_time() - begun, <, 300000);
    WAIT_UNTIL(g_atomic_int_get(&published) == 1);
    g_assert_cmpint(g_atomic_int_get(&looked), ==, 3);
    for (guint turn = 0; turn < 50; turn++)
        g_main_context_iteration(NULL, FALSE);
    g_assert_cmpstr(heard->str, ==, "+one node1 10.0.0.1 aa 7227;+two node2 10.0.0.2 bb 7228;-two;"); /* of the last order alone */

    /* Nobody waits for it at the end, and what it says then is heard by nobody. */
    g_string_truncate(heard, 0);
    discovery_look(discovery, FALSE);
    discovery_look(discovery, TRUE);
    g_string_truncate(heard, 0);
    begun = g_get_monotonic_time();
    discovery_free(discovery);
    g_assert_cmpint(g_get_monotonic_time() - begun, <, 300000);
    WAIT_UNTIL(g_atomic_int_get(&ended) > before);
    g_assert_cmpstr(heard->str, ==, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_thread = g_thread_self();
    heard = g_string_new(NULL);
    g_test_add_func("/discovery/news", test_news);
    g_test_add_func("/discovery/hangs", test_hangs);
    return g_test_run();
}
