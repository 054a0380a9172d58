/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-link.c - the link over connections that end anywhere: nothing lost, repeated or reordered */
#include "link-world.h"

#include <errno.h>
#include <string.h>

static World *world_up(void)
{
    World *world = world_new();

    world_attach(world);
    world_settle(world);
    g_assert_cmpuint(world->home.established, ==, 1);
    g_assert_cmpuint(world->guest.established, ==, 1);
    return world;
}

static void test_plain(void)
{
    World *world = world_up();

    for (int i = 0; i < LINK_CHANNELS; i++)
        for (gsize size = 1; size < 100000; size = size * 3 + 1) {
            g_assert_true(end_send(&world->home, i, size));
            g_assert_true(end_send(&world->guest, i, size));
        }
    world_settle(world);
    world_check_done(world);
    g_assert_cmpuint(world->guest_lost, ==, 0);
    world_free(world);
}

/* Some traffic of both directions, half of it one byte after the other and both ends answering. */
static void converse(World *world)
{
    static const struct { gboolean home; LinkChannel channel; gsize size; } messages[] = {
        { TRUE, LINK_CONTROL, 40 }, { FALSE, LINK_CONTROL, 1 }, { FALSE, LINK_FILES, 200 },
        { FALSE, LINK_BULK, 34000 }, { TRUE, LINK_FILES, 500 }, { FALSE, LINK_FILES, 80 },
        { TRUE, LINK_BULK, 33000 }, { TRUE, LINK_STREAM, 3 }, { FALSE, LINK_STREAM, 64 },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(messages); i++)
        g_assert_true(end_send(messages[i].home ? &world->home : &world->guest,
                               messages[i].channel, messages[i].size));
}

/* Runs the conversation and cuts when so many bytes have come through in one direction. Returns
 * FALSE when the conversation is shorter than that. */
static gboolean run_cut(gboolean in_home, guint64 at, gsize left_to_guest, gsize left_to_home)
{
    World *world = world_new();
    guint64 *passed = in_home ? &world->passed_to_home : &world->passed_to_guest;
    gboolean reached;

    world_attach(world);
    converse(world);
    for (int idle = 0; *passed < at && idle < 2;) {
        gsize moved = world_write(world, TRUE, G_MAXSIZE) + world_write(world, FALSE, G_MAXSIZE);

        moved += world_deliver(world, TRUE, in_home ? at - *passed : G_MAXSIZE, NULL);
        moved += world_deliver(world, FALSE, in_home ? G_MAXSIZE : at - *passed, NULL);
        idle = moved ? 0 : idle + 1;
    }
    reached = *passed == at;
    world_cut(world, left_to_guest, left_to_home);
    world_attach(world);
    world_settle(world);
    world_check_done(world);
    world_free(world);
    return reached;
}

static guint64 cut_everywhere(gboolean in_home, gsize left_to_guest, gsize left_to_home, guint step)
{
    guint64 at = 0, count = 0;

    for (; run_cut(in_home, at, left_to_guest, left_to_home); at += step)
        count++;
    g_assert_cmpuint(at, >, 30000);
    return count;
}

static void test_cut_everywhere(gconstpointer data)
{
    gboolean in_home = GPOINTER_TO_INT(data) & 1;
    gsize left = GPOINTER_TO_INT(data) & 2 ? G_MAXSIZE : 0;
    /* With the other direction's rest arriving late, the quick run tries every seventh byte. */
    guint step = left && g_test_quick() ? 7 : 1;
    guint64 runs = cut_everywhere(in_home, in_home ? left : 0, in_home ? 0 : left, step);

    g_test_message("%" G_GUINT64_FORMAT " cuts", runs);
}


/* Bytes flow between home and another guest than the world's, until home has judged it. */
static void meet(World *world, End *other)
{
    End guest = world->guest;

    world_cut(world, 0, 0);
    world->guest = *other;
    world->guest.link->user = &world->guest;
    world_attach(world);
    for (int i = 0; i < 100 && !world->home.refused; i++) {
        world_write(world, TRUE, G_MAXSIZE);
        world_deliver(world, FALSE, G_MAXSIZE, NULL);
        world_write(world, FALSE, G_MAXSIZE);
        world_deliver(world, TRUE, G_MAXSIZE, &(int){ 0 });
    }
    *other = world->guest;
    world->guest = guest;
    world_cut(world, 0, 0);
}

static void check_refused(World *world, End *other, const char *word)
{
    meet(world, other);
    g_assert_nonnull(world->home.refused);
    if (!strstr(world->home.refused, word))
        g_error("refused with \"%s\", not with \"%s\"", world->home.refused, word);
    g_clear_pointer(&world->home.refused, g_free);
    world_attach(world);
    world_settle(world);
    world_check_done(world);
}

/* The copy of a guest continues where the original was; the original is refused from then on. */
static void test_copy(void)
{
    World *world = world_up();
    End original;

    for (int i = 0; i < 20; i++) {
        converse(world);
        world_write(world, TRUE, 5000);
        world_write(world, FALSE, 40000);
        world_deliver(world, FALSE, 3000, NULL);
        original = world->guest;
        world->guest.link = link_copy(original.link, &world->guest);
        world_cut(world, i & 1 ? 1000 : 0, i & 2 ? 1000 : 0);
        world_attach(world);
        world_settle(world);
        world_check_done(world);
        check_refused(world, &original, "rolled back");
        link_free(original.link);
    }
    world_free(world);
}

/* Two copies whose numbers are equal, but not what they sent. */
static void test_diverged(void)
{
    World *world = world_up();
    End other;

    converse(world);
    world_settle(world);
    other = world->guest;
    other.link = link_copy(world->guest.link, &other);
    g_assert_cmpint(link_send(other.link, LINK_CONTROL, "one", 3), ==, 0);
    for (gsize size; link_output(other.link, &size);)
        link_output_done(other.link, size);
    g_assert_true(end_send(&world->guest, LINK_CONTROL, 3));
    world_write(world, FALSE, G_MAXSIZE);
    world_deliver(world, TRUE, G_MAXSIZE, NULL);
    check_refused(world, &other, "diverged");
    link_free(other.link);
    world_free(world);
}

/* A guest that received something else: another job's, and one of the same token. */
static void test_other_guest(void)
{
    World *world = world_up(), *stranger = world_up();

    converse(world);
    world_settle(world);
    check_refused(world, &stranger->guest, "another job");
    memcpy(stranger->guest.link->token, world->home.link->token, 16);
    stranger->guest.link->connection = 0;
    g_assert_true(end_send(&stranger->home, LINK_FILES, 77));
    world_settle(stranger);
    check_refused(world, &stranger->guest, "rolled back");
    world_free(stranger);
    world_free(world);
}

/* One step of a random life: something is sent, written, delivered, given back, or time passes. */
static void random_step(World *world, GRand *rand)
{
    gboolean home = g_rand_boolean(rand);
    End *end = home ? &world->home : &world->guest;
    gsize most = g_rand_int_range(rand, 0, g_rand_boolean(rand) ? 300 : 70000);

    switch (g_rand_int_range(rand, 0, 8)) {
    case 0:
    case 1:
        end_send(end, g_rand_int_range(rand, 0, LINK_CHANNELS),
                 g_rand_int_range(rand, 1, g_rand_int_range(rand, 0, 10) ? 600 : 100000));
        break;
    case 2:
    case 3:
        world_write(world, home, most);
        break;
    case 4:
    case 5:
        world_deliver(world, home, most, NULL);
        break;
    case 6:
        end_give_credit(end);
        end->hold_credit = g_rand_boolean(rand);
        break;
    default:
        world->now += g_rand_int_range(rand, 0, 400);
        link_timeout(end->link, world->now);
        link_tick(end->link, world->now);
    }
}

static void give_all(World *world)
{
    world->home.hold_credit = world->guest.hold_credit = FALSE;
    end_give_credit(&world->home);
    end_give_credit(&world->guest);
}

/* The guest is copied; the old one goes on for a little, unheard, and home then has traffic with
 * the new one. */
static void random_copy(World *world, GRand *rand)
{
    End old = world->guest;

    world->guest.link = link_copy(old.link, &world->guest);
    old.link->user = &old;
    for (int i = g_rand_int_range(rand, 0, 4); i > 0; i--)
        end_send(&old, g_rand_int_range(rand, 0, LINK_CHANNELS), g_rand_int_range(rand, 1, 600));
    for (gsize size; g_rand_boolean(rand) && link_output(old.link, &size);)
        link_output_done(old.link, size);
    world_cut(world, g_rand_int_range(rand, 0, 2) * 500, g_rand_int_range(rand, 0, 2) * 500);
    world_attach(world);
    give_all(world);
    world_settle(world);
    g_assert_true(end_send(&world->home, LINK_CONTROL, 5));
    g_assert_true(end_send(&world->guest, LINK_CONTROL, 5));
    world_settle(world);
    world_check_done(world);
    meet(world, &old);
    g_assert_nonnull(world->home.refused);
    g_clear_pointer(&world->home.refused, g_free);
    link_free(old.link);
    world_attach(world);
}

static void random_life(guint32 seed)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    World *world = world_new();

    world_attach(world);
    for (int steps = g_rand_int_range(rand, 20, 150); steps > 0; steps--) {
        int chance = g_rand_int_range(rand, 0, 200);

        random_step(world, rand);
        if (chance < 10) {
            world_cut(world, g_rand_int_range(rand, 0, 2) * g_rand_int_range(rand, 0, 2000),
                      g_rand_int_range(rand, 0, 2) * g_rand_int_range(rand, 0, 2000));
            if (g_rand_boolean(rand))
                random_step(world, rand);
            world_attach(world);
        } else if (chance == 10) {
            random_copy(world, rand);
        }
    }
    give_all(world);
    world_cut(world, G_MAXSIZE, 0);
    world_attach(world);
    world_settle(world);
    world_check_done(world);
    world_free(world);
}

static void test_random(void)
{
    const char *only = g_getenv("TEST_LINK_SEED");
    guint32 first = only ? (guint32) g_ascii_strtoull(only, NULL, 10) : 0;
    guint32 last = only ? first : 9999;

    for (guint32 seed = first; seed <= last; seed++) {
        if (g_test_verbose())
            g_test_message("TEST_LINK_SEED=%u", seed);
        random_life(seed);
    }
}

/* A message of each urgency, sent after a long one, is not behind it. */
static void test_small_before_bulk(void)
{
    World *world = world_up();
    gsize before;

    g_assert_true(end_send(&world->guest, LINK_BULK, 4u << 20));
    world_write(world, FALSE, G_MAXSIZE);
    g_assert_true(end_send(&world->guest, LINK_STREAM, 100));
    g_assert_true(end_send(&world->guest, LINK_FILES, 100));
    g_assert_true(end_send(&world->guest, LINK_CONTROL, 100));
    world_write(world, FALSE, G_MAXSIZE);
    before = world->to_home->len;
    g_assert_cmpuint(before, <=, 2 * 32768);
    world_deliver(world, TRUE, G_MAXSIZE, NULL);
    g_assert_cmpuint(world->home.received[LINK_CONTROL], ==, 1);
    g_assert_cmpuint(world->home.received[LINK_FILES], ==, 1);
    g_assert_cmpuint(world->home.received[LINK_STREAM], ==, 1);
    g_assert_cmpuint(world->home.received[LINK_BULK], ==, 0);
    world_settle(world);
    world_check_done(world);
    world_free(world);
}

/* What waits for its turn is told from what does not. */
static void test_only_bulk(void)
{
    World *world = world_up();
    Link *link = world->home.link;
    gsize size;

    g_assert_false(link_only_bulk(link));
    g_assert_true(end_send(&world->home, LINK_BULK, 100000));
    g_assert_true(link_only_bulk(link));
    g_assert_true(end_send(&world->home, LINK_SOCKETS, 100));
    g_assert_false(link_only_bulk(link));
    g_assert_nonnull(link_output(link, &size));
    g_assert_cmpuint(size, <, 200);
    world_write(world, TRUE, 10);   /* the rest of a frame is not begun any more */
    g_assert_false(link_only_bulk(link));
    world_write(world, TRUE, size - 10);
    g_assert_true(link_only_bulk(link));
    world_settle(world);
    g_assert_false(link_only_bulk(link));
    world_check_done(world);
    world_free(world);
}

/* A flood of a more urgent channel does not keep the others waiting for ever. */
static void test_no_starvation(void)
{
    World *world = world_up();
    gsize flood = 0;

    g_assert_true(end_send(&world->guest, LINK_BULK, 60000));
    for (; !world->home.received[LINK_BULK]; flood += 8000) {
        g_assert_cmpuint(flood, <, 1u << 20);
        end_send(&world->guest, LINK_STREAM, 8000);
        world_write(world, FALSE, 8100);
        world_deliver(world, TRUE, G_MAXSIZE, NULL);
        world_write(world, TRUE, G_MAXSIZE);
        world_deliver(world, FALSE, G_MAXSIZE, NULL);
    }
    world_settle(world);
    world_check_done(world);
    world_free(world);
}

/* What is kept is bounded by the window, also of many tiny messages, connected or not; writable()
 * tells when to go on. */
static void test_credit(void)
{
    World *world = world_up();

    for (int cut = 0; cut < 2; cut++) {
        for (int i = 0; i < LINK_CHANNELS; i++) {
            gsize size = cut ? 1 : 3000, count = 0;

            world->home.hold_credit = TRUE;
            if (cut)
                world_cut(world, 0, 0);
            while (end_send(&world->guest, i, size))
                count += size;
            g_assert_cmpuint(count, <=, link_windows[i]);
            g_assert_cmpuint(world->guest.link->lanes[i].kept_cost, <=, 2 * link_windows[i] + 4096);
            g_assert_cmpuint(link_room(world->guest.link, i), <, size);
            world->guest.writable = 0;
            if (cut)
                world_attach(world);
            world_settle(world);
            if (!cut)
                g_assert_cmpuint(world->guest.writable, ==, 0);
            end_give_credit(&world->home);
            world->home.hold_credit = FALSE;
            world_settle(world);
            g_assert_cmpuint(world->guest.writable, ==, 1u << i);
        }
        world_check_done(world);
    }
    world_free(world);
}

/* The longest message passes where it may; nothing is taken that could never be sent. */
static void test_sizes(void)
{
    World *world = world_up();
    g_autofree guint8 *data = g_malloc0(LINK_MESSAGE_MAX + 1);

    g_assert_true(end_send(&world->home, LINK_CONTROL, LINK_MESSAGE_MAX));
    g_assert_true(end_send(&world->guest, LINK_BULK, LINK_MESSAGE_MAX));
    g_assert_cmpint(link_send(world->home.link, LINK_BULK, data, LINK_MESSAGE_MAX + 1), ==,
                    -EMSGSIZE);
    g_assert_cmpint(link_send(world->home.link, LINK_STREAM, data, 256 * 1024 + 1), ==, -EMSGSIZE);
    g_assert_cmpint(link_send(world->home.link, LINK_FILES, data, 0), ==, -EMSGSIZE);
    world_settle(world);
    world_check_done(world);
    world_free(world);
}

/* An idle link holds no buffers and asks for no time. */
static void test_idle(void)
{
    World *world = world_up();
    End *ends[] = { &world->home, &world->guest };

    converse(world);
    world_settle(world);
    for (int e = 0; e < 2; e++) {
        g_assert_cmpint(link_timeout(ends[e]->link, world->now), ==, -1);
        g_assert_null(ends[e]->link->stage);
        for (int i = 0; i < LINK_CHANNELS; i++)
            g_assert_null(ends[e]->link->lanes[i].assembly);
    }
    world_free(world);
}

/* HELLO is said again while there is no answer, ever more slowly, and a heap of them is answered
 * well. */
static void test_hello_repeated(void)
{
    World *world = world_new();
    guint64 start = world->now;
    guint said = 0;

    world_attach(world);
    while (world->now < start + 60000) {
        int wait;

        said += world_write(world, TRUE, G_MAXSIZE) > 0;
        wait = link_timeout(world->home.link, world->now);
        g_assert_cmpint(wait, >, 0);
        world->now += wait;
        link_tick(world->home.link, world->now);
    }
    g_assert_cmpuint(said, >=, 20);
    g_assert_cmpuint(said, <=, 40);
    converse(world);
    world_settle(world);
    world_check_done(world);
    g_assert_cmpuint(world->guest.established, ==, 1);
    world_free(world);
}

/* What home writes until it waits, as one run of bytes. */
static GBytes *record(World *world)
{
    GByteArray *bytes;

    while (world_write(world, TRUE, G_MAXSIZE))
        ;
    bytes = world->to_guest;
    world->to_guest = g_byte_array_new();
    return g_byte_array_free_to_bytes(bytes);
}

/* A recorded HELLO that comes back as the contents of a file, in a frame that comes in part, has no
 * effect. */
static void test_recorded_hello(void)
{
    World *world = world_new();
    g_autoptr(GBytes) hello = NULL;
    guint8 *file = g_malloc0(20000);
    gsize size;
    const guint8 *at;

    world_attach(world);
    hello = record(world);
    at = g_bytes_get_data(hello, &size);
    g_assert_cmpuint(size, ==, FRAME_HELLO_SIZE);
    g_byte_array_append(world->to_guest, at, size);
    world_settle(world);
    memcpy(file + 10000 - size, at, size);
    /* Not a message of the world's own: it is looked at here, and not delivered before it is
     * complete. */
    g_assert_cmpint(link_send(world->home.link, LINK_BULK, file, 20000), ==, 0);
    world_write(world, TRUE, G_MAXSIZE);
    world_deliver(world, FALSE, FRAME_HEADER + 10000, NULL);
    g_assert_cmpint(world->guest.link->state, ==, LINK_UP);
    g_assert_true(world->guest.link->in_payload);
    g_assert_cmpuint(world->guest.established, ==, 1);
    g_free(file);
    world_free(world);
}

static void on_rehearse(void *user)
{
    ++*(guint *)user;
}

static void ignore_message(void *user, LinkChannel channel, const void *data, size_t size)
{
}

/* A guest that belongs to nobody may be told to rehearse, in as many pieces as you like; from the first HELLO on it is not. */
static void test_rehearse(void)
{
    static const LinkEvents events = { .message = ignore_message, .rehearse = on_rehearse };
    guint told = 0;
    Link *guest = link_new(LINK_GUEST, &events, &told);
    guint8 frame[FRAME_HEADER], hello[FRAME_HELLO_SIZE];

    frame_encode_rehearse(frame);
    g_assert_cmpint(link_input(guest, frame, sizeof frame), ==, 0);
    g_assert_cmpuint(told, ==, 1);
    for (gsize i = 0; i < sizeof frame; i++)
        g_assert_cmpint(link_input(guest, frame + i, 1), ==, 0);
    g_assert_cmpuint(told, ==, 2);
    frame[sizeof frame - 1] ^= 1;
    g_assert_cmpint(link_input(guest, frame, sizeof frame), ==, 0);
    g_assert_cmpuint(told, ==, 2);

    frame_encode_hello(FRAME_HELLO, &(Hello){ .connection = 1, .epoch = 1, .next_tx = 1 }, hello);
    g_assert_cmpint(link_input(guest, hello, sizeof hello), ==, 0);
    g_assert_cmpint(guest->state, ==, LINK_UP);
    frame_encode_rehearse(frame);
    link_input(guest, frame, sizeof frame);
    g_assert_cmpuint(told, ==, 2);
    link_free(guest);
}

/* Bytes lost in the middle of a connection: the guest asks for a new HELLO and all is well. */
static void test_lost(void)
{
    World *world = world_up();

    for (gsize lost = 1; lost < 3000; lost = lost * 2 + 3) {
        converse(world);
        world_write(world, TRUE, G_MAXSIZE);
        g_byte_array_remove_range(world->to_guest, 10, MIN(lost, world->to_guest->len - 10));
        /* More, so that what lacks bytes is complete, and found wrong. */
        g_assert_true(end_send(&world->home, LINK_BULK, 100000));
        world_settle(world);
        world_check_done(world);
    }
    g_assert_cmpuint(world->guest_lost, >, 3);
    world_free(world);
}

/* Home takes no nonsense from a guest. */
static void test_home_strict(void)
{
    static const struct { const char *what; Frame frame; } wrong[] = {
        { "number", { FRAME_VERSION, FRAME_DATA, LINK_FILES, 1, 0, 2, 0, 0 } },
        { "channel", { FRAME_VERSION, FRAME_DATA, LINK_CHANNELS, 1, 0, 1, 0, 0 } },
        { "too long", { FRAME_VERSION, FRAME_DATA, LINK_BULK, 1, LINK_MESSAGE_MAX, 1, 0, 0 } },
        { "window", { FRAME_VERSION, FRAME_DATA, LINK_STREAM, 1, 256u << 10, 1, 0, 0 } },
        { "acknowledgement", { FRAME_VERSION, FRAME_DATA, LINK_FILES, 1, 0, 1, 1, 0 } },
        { "type", { FRAME_VERSION, 9, LINK_FILES, 1, 0, 1, 0, 0 } },
        { "empty", { FRAME_VERSION, FRAME_DATA, LINK_FILES, 0, 0, 1, 0, 0 } },
        { "version", { FRAME_VERSION + 1, FRAME_DATA, LINK_FILES, 1, 0, 1, 0, 0 } },
        { "hello", { FRAME_VERSION, FRAME_HELLO, 0, FRAME_HELLO_PAYLOAD, 0, 0, 0, 0 } },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        World *world = world_up();
        guint8 bytes[FRAME_HEADER];

        frame_encode(&wrong[i].frame, bytes);
        g_test_message("%s", wrong[i].what);
        g_assert_cmpint(link_input(world->home.link, bytes, sizeof(bytes)), ==, -EPROTO);
        g_assert_cmpint(link_input(world->home.link, bytes, sizeof(bytes)), ==, 0);
        g_assert_false(link_wants_output(world->home.link));
        world_free(world);
    }
}

static void ignore(void *user, LinkChannel channel, const void *data, size_t size)
{
}

/* Megabytes a second of link_send and link_output (receive FALSE), or of link_input in chunks of
 * this size. */
static double speed(gboolean receive, gsize chunk)
{
    World *world = world_up();
    g_autofree guint8 *data = g_malloc0(1u << 20);
    gint64 spent = 0;
    const int count = 100;

    world->guest.link->events.message = ignore;
    for (int i = 0; i < count; i++) {
        gint64 start = g_get_monotonic_time();

        g_assert_cmpint(link_send(world->home.link, LINK_BULK, data, 1u << 20), ==, 0);
        if (!receive) {
            for (gsize size; link_output(world->home.link, &size);)
                link_output_done(world->home.link, size);
            spent += g_get_monotonic_time() - start;
            send_acknowledge(world->home.link, world->home.link->tx_sequence);
        } else {
            g_autoptr(GBytes) bytes = record(world);
            const guint8 *at = g_bytes_get_data(bytes, NULL);
            gsize left = g_bytes_get_size(bytes);

            start = g_get_monotonic_time();
            for (; left; at += MIN(chunk, left), left -= MIN(chunk, left))
                link_input(world->guest.link, at, MIN(chunk, left));
            spent += g_get_monotonic_time() - start;
            link_consumed(world->guest.link, LINK_BULK, 1u << 20);
            send_acknowledge(world->home.link, world->home.link->tx_sequence);
        }
        world->home.link->lanes[LINK_BULK].peer_consumed += 1u << 20;
    }
    world_free(world);
    return count * 1.048576e6 / (spent + 1);
}

/* Figures only: what the two state machines cost. */
static void test_speed(void)
{
    g_test_message("sending %.0f MB/s", speed(FALSE, 0));
    g_test_message("receiving %.0f MB/s, in pieces of 4 KiB %.0f MB/s", speed(TRUE, 256 << 10),
                   speed(TRUE, 4096));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/link/plain", test_plain);
    g_test_add_data_func("/link/cut-everywhere/to-guest", GINT_TO_POINTER(0), test_cut_everywhere);
    g_test_add_data_func("/link/cut-everywhere/to-home", GINT_TO_POINTER(1), test_cut_everywhere);
    g_test_add_data_func("/link/cut-everywhere/to-guest-rest-to-home", GINT_TO_POINTER(2),
                         test_cut_everywhere);
    g_test_add_data_func("/link/cut-everywhere/to-home-rest-to-guest", GINT_TO_POINTER(3),
                         test_cut_everywhere);
    g_test_add_func("/link/copy", test_copy);
    g_test_add_func("/link/diverged", test_diverged);
    g_test_add_func("/link/other-guest", test_other_guest);
    g_test_add_func("/link/random", test_random);
    g_test_add_func("/link/small-before-bulk", test_small_before_bulk);
    g_test_add_func("/link/only-bulk", test_only_bulk);
    g_test_add_func("/link/no-starvation", test_no_starvation);
    g_test_add_func("/link/credit", test_credit);
    g_test_add_func("/link/sizes", test_sizes);
    g_test_add_func("/link/idle", test_idle);
    g_test_add_func("/link/hello-repeated", test_hello_repeated);
    g_test_add_func("/link/recorded-hello", test_recorded_hello);
    g_test_add_func("/link/rehearse", test_rehearse);
    g_test_add_func("/link/lost", test_lost);
    g_test_add_func("/link/home-strict", test_home_strict);
    g_test_add_func("/link/speed", test_speed);
    return g_test_run();
}
