/* SPDX-License-Identifier: GPL-2.0-or-later */
/* standing.h - an administrator's standing orders to this node: stay, block, quiet, speed; kept across restarts */
#pragma once

#include "common/conf.h"
#include "common/json.h"

typedef struct {
    gboolean stay;      /* no job leaves by the balancer's decision */
    gboolean stay_own;  /* nor one that is at home here (after "bring") */
    gboolean block;     /* no guest of another home comes */
    gboolean quiet;     /* the others are not told of the load here */
    guint speed;        /* 0: the setting's */
    char map[65];       /* the digest of the table of nodes that setpe was given here last; "": none */
} Standing;

/* Reads STATE_DIR/standing.json; what is not there or cannot be read is off (and said). */
void standing_load(Standing *standing, const Conf *conf);

/* Changes what params has of {stay,stay_own,block,quiet,speed,map} and writes it down. Nothing is changed on failure. */
gboolean standing_change(Standing *standing, const Conf *conf, Json *params, GError **error);

/* Sets its members on a node's row. */
void standing_show(const Standing *standing, Json *row);
