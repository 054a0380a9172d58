/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hosted.h - the guests on this node, whatever their home: started, linked to their home, doubted
 *
 * Theory of operation. A Hosted exists for every guest that libvirt has here, and for one that is about to. It knows from the
 * metadata of the domain whose guest it is (description with home) and which incarnation (epoch). Its duty is that the guest is
 * linked to its home as long as home wants it: the channel's socket is connected and a link connection dialled (at home:
 * the socket itself is given to the deputy), again after every break, with back-off. Whether home wants it, it asks home
 * whenever it is not sure (job.truth) and obeys verdict_host. It never decides by itself, except that a guest whose home has
 * been silent for long is frozen, and after very long destroyed.
 */
#pragma once

#include "hypervisor/guest.h"
#include "node.h"
#include "relay.h"
#include "verdict.h"

typedef struct {
    Node *owner;
    char *id;
    guint64 epoch;
    char *home;
    Json *description;
    char *channel_path;
    GuestState state;
    gboolean busy;          /* a migration from or to here is at work on it: hands off */
    gboolean ordered;       /* libvirt is resuming, suspending or destroying it on our order: it may not leave meanwhile */
    gboolean held;          /* to stay paused: on the user's word or as an orphan */
    gboolean orphan;        /* held because home is silent */
    gboolean wanted;        /* its link should be up */
    gboolean dialling;
    gboolean starting;      /* libvirt does not have it yet */
    gboolean doomed;        /* it is to end */
    Relay *relay;           /* up, to a home elsewhere */
    gboolean given;         /* the channel is with the deputy (home here) */
    guint retry;            /* timer */
    guint retry_ms;
    gint64 silent_since_us; /* home did not answer since; 0: it does */
    guint64 cpu_ns, rss_bytes;
    double demand;          /* CPUs it wants: load.h */
    guint samples;          /* that went into it */
    guint64 sampled_ns;     /* what its vCPUs had run and waited */
    gint64 sampled_us;      /* when; 0: not yet */
    guint64 expected_bytes; /* what its last host has measured; 0: not known */
    gint64 here_us;         /* since when it runs here */
    gboolean coming;        /* an arrival that does not run yet */
    gboolean leaving;       /* a departure under way */
    gboolean locked;        /* as its home last said */
    const char *gather;     /* where the rest of its torn group is, as its home last said (static); NULL */
    gboolean sent_away;     /* its home was asked to move it */
    gboolean asking;
    gint64 busy_until_us;   /* when it was last busy */
    guint missed;           /* lists of guests in a row that did not have it */
} Hosted;

/* Starts a guest for a description; done(error or NULL). The link comes up by itself. */
void hosted_start(Node *node, Json *description, guint64 epoch, void (*done)(const GError *error, gpointer user),
                  gpointer user);

/* Whether libvirt is starting a guest for some job. */
gboolean hosted_any_starts(Node *node);

/* A record for a guest that is here or is about to be (by an arrival); description is referenced. */
Hosted *hosted_new(Node *node, const char *id, guint64 epoch, Json *description, const char *channel_path);
Hosted *hosted_find(Node *node, const char *id);

/* The guest is gone: the record with all its connections goes too. */
void hosted_remove(Node *node, const char *id);

/* Brings the link up, now and after every break; or lets it go. */
void hosted_link(Hosted *hosted);
void hosted_unlink(Hosted *hosted);

/* The same at home, by a connection (taken over) to the channel that there is already. */
void hosted_link_by(Hosted *hosted, int channel);

/* The deputy has lost, or given up, the channel that it was given: it gets it again, if the guest is here and its link is
 * wanted. */
void hosted_link_again(Node *node, const char *id);

/* Ends the guest, which home wants no more; tried again, after another question to home, until it is gone. */
void hosted_destroy(Hosted *hosted);

/* Not sure whose it is: asks home and does what verdict_host says. */
void hosted_doubt(Hosted *hosted);

/* Whether home has been silent for so long that a guest is to end which cannot go on without its word: one that stands still
 * at an end of a migration. */
gboolean hosted_forsaken(const Hosted *hosted);

/* libvirt lists it, in this state: what follows from that, and from its home's silence. */
void hosted_seen(Hosted *hosted, GuestState state);

/* Where the channel of an incarnation is (g_free). */
char *hosted_channel_path(Node *node, const char *id, guint64 epoch);

/* The domain of a description on this node; the spec points into the description, the node and the strings beside it. */
typedef struct {
    GuestSpec spec;
    char *channel_path, *console_path, *text;
} HostedSpec;
gboolean hosted_spec(Node *node, Json *description, guint64 epoch, HostedSpec *ret_spec, GError **error);
void hosted_spec_clear(HostedSpec *spec);

/* Rows of the guests here for node.info: [{id,cpu_ns,rss_bytes,demand,state}] (new reference). */
Json *hosted_usage(Node *node);
