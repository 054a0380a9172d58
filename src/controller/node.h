/* SPDX-License-Identifier: GPL-2.0-or-later */
/* node.h - what this node is and has: the one structure that the controller's parts share */
#pragma once

#include "balance/exodus.h"
#include "cluster/cluster.h"
#include "claim.h"
#include "common/conf.h"
#include "common/json.h"
#include "hypervisor/host.h"
#include "hypervisor/hypervisor.h"
#include "forecast.h"
#include "image.h"
#include "standing.h"
#include "tally.h"

#define NODE_VERSION PACKAGE_VERSION

typedef struct Control Control;
typedef struct Spare Spare;
typedef struct Template Template;
struct Balancer;
struct Web;

typedef struct {
    Conf *conf;
    HostFacts facts;
    Hypervisor *hv;
    Cluster *cluster;
    Control *control;
    struct Balancer *balancer;
    struct Web *web;         /* the HTTP view */
    Tally tally;             /* what has been counted since the start */
    Standing standing;       /* the administrator's orders */
    ExodusPace pace;         /* of moves from here, as learned */
    Forecast forecast;       /* of moves that are ordered here */
    Image *images[2];        /* x86_64, i686; NULL: not there */
    char *accel;             /* "kvm" or "tcg": what guests get now */
    char *accel_why;         /* the sentence that goes with it */
    gboolean accel_known;    /* that is no guess any more */
    Claim *claim;            /* what deputies show to be taken back */
    GHashTable *jobs;        /* id → Job: at home here */
    GHashTable *hosted;      /* id → Hosted: guests here, whatever their home */
    GHashTable *arrivals;    /* migration → Arrival: coming here */
    GHashTable *departures;  /* migration → Departure: going from here */
    GHashTable *stopping;    /* names of nodes whose controllers said that they stop */
    GQueue events;           /* Event *: what happened lately, oldest first (events.c) */
    GQueue followers;        /* Follower *: who is told of more */
    GHashTable *states;      /* node → state, as last told there */
    GQueue migrating;        /* Migration *: ordered here and begun (migration.c) */
    GQueue waiting;          /* and those that wait for room */
    GQueue ended;            /* Job *: the last ones at home here that are over */
    GHashTable *unowned;     /* id → Unowned: guests here that are nobody's yet */
    Spare *spare;            /* a guest started ahead; NULL: none */
    guint spare_timer;       /* until the next may be started */
    gint64 spare_after_us;   /* not before this (monotonic) */
    Template *template;      /* what guests begin from, or is to be that; NULL: none */
    gint64 template_after_us; /* no other before this (monotonic) */
    gint64 started_us;       /* monotonic */
    gboolean supervised;     /* a supervisor started it */
    gboolean ending;         /* it was ordered to end, with its guests */
    gboolean stops;          /* this controller was told to end */
    guint adopting;         /* guests that libvirt is being asked about, to be taken over */
    gboolean adopted;        /* the guests that were here at the start have been taken over */
    GMainLoop *loop;
} Node;

/* Makes the node from its settings (taken over); nothing runs yet. */
Node *node_new(Conf *conf);

/* For a callback that may come when what it is about is gone: the node, and that thing's id to look it up by. */
typedef struct {
    Node *node;
    char *id;
} NodeTicket;

/* To be freed by the callback. */
NodeTicket *node_ticket_new(Node *node, const char *id);
void node_ticket_free(NodeTicket *ticket);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NodeTicket, node_ticket_free)

/* This node's name (owned by the node). */
const char *node_name(const Node *node);

/* Started so short a time ago that deputies of before may not have come back yet. */
gboolean node_is_young(const Node *node);

/* Its speed: the administrator's, else the setting's. */
guint node_speed(const Node *node);

/* How many migrations may be under way between this node and any one other. */
guint node_link_migrations(const Node *node);

/* The image for an architecture, or NULL and a sentence. */
const Image *node_image(Node *node, const char *arch, GError **error);

/* This node's row for node.list and node.info (new reference). */
Json *node_row(Node *node);

/* Rows of all nodes that are known, this one first (new reference). */
Json *node_rows(Node *node);

/* The name of the node that a word means (g_free): its name, its address, or its number: openMosix's, made of the
 * address, else its place among the names of all nodes, the first being 1. A word that means none, and "home", is given back. */
char *node_meant(Node *node, const char *word);

/* A node's row, also this one's (new reference); NULL where there is no such node. */
Json *node_row_of(Node *node, const char *name);

/* Bytes that could be promised to another guest: what the host has free, less what is reserved for arrivals and not yet
 * touched by guests that are here. */
guint64 node_memory_free(Node *node);

/* Says in a description what a guest that is started here now must have, and what every node that may get it must know of it. */
void node_describe(Node *node, Json *description, const Image *image);

/* The CPU model that guests of this acceleration get: that of the lowest node of the cluster that has it. */
const char *node_cpu_model(Node *node, const char *accel);
