/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.c - the resumable byte stream between agent and deputy: connections, resumption and time
 *
 * Goal: whatever is handed to link_send is delivered at the other end once, whole and in the order
 * of its channel, over any number of connections that end anywhere, for as long as both ends keep
 * their memory. One end's memory (the guest's) may be copied and go on elsewhere; a copy that does
 * not continue what this end has seen is refused.
 *
 * How: frames that carry data are numbered, one sequence a direction, and kept until acknowledged
 * (link-send.c). After a break home says HELLO until the guest answers with HELLO_ACK and home's
 * nonce; each tells the last number it has, and the other repeats from there. Both ends also hash
 * all that they sent and received into a chain, a value after each number, and compare the two
 * where one's "received" meets the other's "sent".
 *
 * Invariants:
 *  - acked <= what the other end has received <= tx_sequence; kept holds exactly
 *    acked+1..tx_sequence.
 *  - After HELLO home sends nothing else until the answer. So when a HELLO is unanswered, it is the
 *    last thing in the guest's input; the guest needs to look only there, also in the middle of a
 *    frame whose tail was lost.
 *  - A HELLO counts once: its connection number must be larger than any before. Recorded ones have
 *    no effect.
 *  - Only home judges; the guest tells what it knows and changes nothing when it sees that it does
 *    not fit.
 *
 * Limits: see link_windows, LINK_MESSAGE_MAX; memory of an end is at most twice its windows in each
 * direction.
 */
#include "link-private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define ACK_DELAY_MS 20
#define HELLO_FIRST_MS 250
#define HELLO_SLOWEST_MS 2000
#define TRIM_MS 1000

const uint32_t link_windows[LINK_CHANNELS] = {
    [LINK_CONTROL] = LINK_MESSAGE_MAX,
    [LINK_FILES] = 1u << 20,
    [LINK_SOCKETS] = 2u << 20,
    [LINK_STREAM] = 256u << 10,
    [LINK_BULK] = 8u << 20,
};
_Static_assert(LINK_CHANNELS == FRAME_CHANNELS, "the ACK frame has a number for each channel");

Link *link_new(LinkRole role, const LinkEvents *events, void *user)
{
    Link *link = calloc(1, sizeof(*link));

    if (!link)
        return NULL;
    link->role = role;
    link->events = *events;
    link->user = user;
    link->state = role == LINK_HOME ? LINK_DOWN : LINK_GREETING;
    if (role == LINK_HOME) {
        if (getrandom(link->token, sizeof(link->token), 0) != sizeof(link->token)) {
            free(link);
            return NULL;
        }
        link->has_token = true;
    }
    return link;
}

void link_free(Link *link)
{
    if (!link)
        return;
    send_free(link);
    for (int i = 0; i < LINK_CHANNELS; i++)
        free(link->lanes[i].assembly);
    free(link);
}

static void new_connection(Link *link, LinkState state)
{
    link->state = state;
    link->generation++;
    link->hello_due = link->lost_due = false;
    send_reset(link);
    receive_reset(link);
}

/* Home: begins again with a HELLO of its own number and nonce. */
void link_greet(Link *link)
{
    new_connection(link, LINK_GREETING);
    link->connection++;
    link->counters.connections++;
    if (getrandom(link->nonce, sizeof(link->nonce), 0) != sizeof(link->nonce))
        memcpy(link->nonce, &link->connection, sizeof(link->connection));
    link->hello_due = true;
    link->hello_at = 0;
    link->hello_interval = HELLO_FIRST_MS;
}

void link_attach(Link *link, uint64_t epoch)
{
    if (link->role != LINK_HOME)
        return;
    link->epoch = epoch;
    link_greet(link);
}

void link_detach(Link *link)
{
    new_connection(link, link->role == LINK_HOME ? LINK_DOWN : LINK_GREETING);
}

void link_fill_hello(const Link *link, Hello *ret_hello)
{
    bool home = link->role == LINK_HOME;

    *ret_hello = (Hello){
        .connection = link->connection,
        .epoch = link->epoch,
        .next_tx = link->tx_sequence + 1,
        .last_rx = link->rx_sequence,
        .chain_rx = link->rx_chain,
        .chain_tx = home ? 0 : link->answer_chain,
        .status = home ? HELLO_OK : link->answer,
    };
    memcpy(ret_hello->token, link->token, sizeof(link->token));
    memcpy(ret_hello->nonce, home ? link->nonce : link->answer_nonce, sizeof(link->nonce));
    for (int i = 0; i < LINK_CHANNELS; i++)
        ret_hello->consumed[i] = link->lanes[i].consumed;
}

static void up(Link *link)
{
    link->state = LINK_UP;
    link->ack_due = true; /* what was consumed since the first HELLO or HELLO_ACK was written */
    send_resume(link);
    if (link->events.established)
        link->events.established(link->user, link->epoch);
    send_writable(link);
}

static bool consumed_fits(const Link *link, const uint64_t consumed[LINK_CHANNELS])
{
    for (int i = 0; i < LINK_CHANNELS; i++)
        if (consumed[i] < link->lanes[i].peer_consumed || consumed[i] > link->lanes[i].sent)
            return false;
    return true;
}

/* Guest: whether what home says can continue what this guest remembers. */
static bool hello_fits(Link *link, const Hello *hello)
{
    uint64_t chain;

    if (!send_chain_at(link, hello->last_rx, &chain))
        return false;
    link->answer_chain = chain;
    return chain == hello->chain_rx && hello->next_tx > link->rx_sequence &&
           consumed_fits(link, hello->consumed);
}

void link_hello(Link *link, const Hello *hello, uint8_t version, bool torn)
{
    unsigned generation;

    if (version != FRAME_VERSION ||
        (link->has_token && memcmp(hello->token, link->token, sizeof(link->token)))) {
        if (torn)
            return;
        new_connection(link, LINK_GREETING);
        link->answer = version != FRAME_VERSION ? HELLO_VERSION : HELLO_OTHER_JOB;
        memcpy(link->answer_nonce, hello->nonce, sizeof(hello->nonce));
        link->hello_due = true;
        return;
    }
    if (link->has_token && hello->connection <= link->connection) {
        /* A repetition: home had not seen our answer when it said this. */
        if (hello->connection == link->connection &&
            memcmp(hello->nonce, link->answer_nonce, sizeof(hello->nonce)) == 0)
            link->hello_due = true;
        return;
    }
    new_connection(link, LINK_GREETING);
    generation = link->generation;
    memcpy(link->token, hello->token, sizeof(link->token));
    memcpy(link->answer_nonce, hello->nonce, sizeof(hello->nonce));
    link->has_token = true;
    link->connection = hello->connection;
    link->epoch = hello->epoch;
    link->hello_due = true;
    link->counters.connections++;
    link->answer_chain = 0;
    link->answer = hello_fits(link, hello) ? HELLO_OK : HELLO_MISFIT;
    if (link->answer != HELLO_OK)
        return;
    send_acknowledge(link, hello->last_rx);
    send_consumed(link, hello->consumed);
    if (link->generation == generation)
        up(link);
}

/* Home: a sentence when the guest at the other end is not the one that this end has talked with;
 * NULL: it is. */
static const char *judge(Link *link, const Hello *hello, uint8_t version)
{
    uint64_t chain;

    if (version != FRAME_VERSION || hello->status == HELLO_VERSION)
        return "the guest speaks another version of the link's protocol";
    if (hello->status == HELLO_OTHER_JOB)
        return "the guest belongs to another job";
    if (hello->next_tx == 0 || hello->next_tx - 1 < link->rx_sequence)
        return "the guest does not know of messages that it has sent: it was rolled back";
    if (hello->last_rx < link->acked)
        return "the guest does not know of messages that it has received: it was rolled back";
    if (!send_chain_at(link, hello->last_rx, &chain))
        return "the guest has received messages that were never sent: it is not this job's guest";
    if (hello->chain_rx != chain)
        return "the guest has received other messages than were sent: its copies have diverged";
    if (hello->chain_tx != link->rx_chain)
        return "the guest has sent other messages than were received: its copies have diverged";
    if (!consumed_fits(link, hello->consumed))
        return "the guest has consumed another amount than it had told: it was rolled back";
    if (hello->status != HELLO_OK || hello->connection != link->connection)
        return "the guest says that it does not fit";
    return NULL;
}

int link_hello_ack(Link *link, const Hello *hello, uint8_t version)
{
    const char *why = judge(link, hello, version);
    unsigned generation = link->generation;

    if (why) {
        new_connection(link, LINK_REFUSED);
        if (link->events.refused)
            link->events.refused(link->user, why);
        return -EPROTO;
    }
    link->hello_due = false;
    send_acknowledge(link, hello->last_rx);
    send_consumed(link, hello->consumed);
    if (link->generation == generation)
        up(link);
    return 0;
}

/* The sooner of two waits, -1 being never; starts the clock of a deadline that has none yet. */
static int sooner(int wait, uint64_t *deadline, uint64_t now, unsigned delay)
{
    int mine;

    if (*deadline == 0)
        *deadline = now + delay;
    mine = *deadline > now ? (int) (*deadline - now) : 0;
    return wait < 0 || mine < wait ? mine : wait;
}

int link_timeout(Link *link, uint64_t now_ms)
{
    int wait = -1;

    if (link->state == LINK_UP && link->ack_waits && !link->ack_due)
        wait = sooner(wait, &link->ack_at, now_ms, ACK_DELAY_MS);
    if (link->role == LINK_HOME && link->state == LINK_GREETING && !link->hello_due)
        wait = sooner(wait, &link->hello_at, now_ms, link->hello_interval);
    if (send_has_spare(link) || receive_has_spare(link))
        wait = sooner(wait, &link->trim_at, now_ms, TRIM_MS);
    return wait;
}

/* Gives memory back when nothing has moved since the last time. */
static void trim(Link *link)
{
    uint64_t seen = link->counters.sent_frames + link->counters.received_frames;

    link->trim_at = 0;
    if (seen == link->trim_seen) {
        receive_trim(link);
        send_trim(link);
    }
    link->trim_seen = seen;
}

void link_tick(Link *link, uint64_t now_ms)
{
    if (link->ack_at && now_ms >= link->ack_at) {
        link->ack_at = 0;
        link->ack_due = link->ack_waits;
    }
    if (link->hello_at && now_ms >= link->hello_at) {
        link->hello_at = 0;
        if (link->role == LINK_HOME && link->state == LINK_GREETING) {
            link->hello_due = true;
            link->hello_interval *= 2;
            if (link->hello_interval > HELLO_SLOWEST_MS)
                link->hello_interval = HELLO_SLOWEST_MS;
        }
    }
    if (link->trim_at && now_ms >= link->trim_at)
        trim(link);
}

void link_counters(const Link *link, LinkCounters *ret_counters)
{
    *ret_counters = link->counters;
}
