/* SPDX-License-Identifier: GPL-2.0-or-later */
/* members-private.h - what members.c and the files beside it share; others include members.h */
#pragma once

#include "lag.h"
#include "members.h"

typedef enum {
    MEMBER_PENDING,
    MEMBER_ALIVE,
    MEMBER_FAILED,
    MEMBER_LEFT,
    MEMBER_STATES
} MemberState;

typedef struct {
    char *name, *address, *serial;
    char *sponsor; /* the node whose administrator had it let in; NULL: at the authority's node */
    guint port;
    MemberState state;
    gint64 last_seen; /* seconds since the epoch; 0: never */
    Json *info;       /* its last answer to node.info, or NULL */
    guint misses;
    gboolean asked;    /* a question is open */
    gboolean expected; /* an answer, by the end of this round */
    gboolean answered; /* since the last round */
    GossipNews news;   /* what gossip said last */
    guint meet_in, meet_pause; /* rounds until gossip is told of it again */
} Member;

struct Members {
    int references; /* the owner's, and one of each open question */
    gboolean stopped;
    char *file, *self, *authority;
    gboolean fixed;
    gint64 version;
    GPtrArray *all; /* of Member */
    Peers *peers;
    Gossip *gossip; /* NULL: there is none */
    GSource *timer;
    guint period_ms, round, sample;
    gint64 round_us; /* when the last round began, monotonic */
    Lag lag;
    MembersChanged changed;
    gpointer user;
};

enum { MEMBER_NAME_MAX = 63 };

/* Frees a Member (a GDestroyNotify). */
void member_free(gpointer data);

/* The member of this name, or NULL. */
Member *members_find(Members *members, const char *name);

gboolean members_is_self(Members *members, const Member *member);

/* Writes members.json after a change that lasts; says so if that cannot be. */
void members_keep(Members *members);

/* Calls back that something about this one has changed. */
void members_tell(Members *members, const char *name);

/* Tells peers where this member is, or that it is none. */
void members_tell_peers(Members *members, const Member *member);

/* Gives back a reference. */
void members_unref(Members *members);
