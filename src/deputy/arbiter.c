/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arbiter.c - decides which incarnation of a job is real: a small state machine without I/O */
#include "arbiter.h"

#include <string.h>

static gboolean name_fits(const char *name)
{
    return name && *name && strlen(name) < ARBITER_NAME;
}

/* The rest of the field is zeroed, so that equal values have equal bytes. */
static void name_set(char *field, const char *name)
{
    memset(field, 0, ARBITER_NAME);
    memcpy(field, name, strlen(name));
}

static gboolean is_expected(const Arbiter *arbiter, const char *migration)
{
    return *arbiter->migration && g_str_equal(arbiter->migration, migration);
}

static gboolean is_committed(const Arbiter *arbiter, const char *migration)
{
    return *arbiter->committed && g_str_equal(arbiter->committed, migration);
}

static void forget_expected(Arbiter *arbiter)
{
    name_set(arbiter->migration, "");
    name_set(arbiter->expected_node, "");
    arbiter->expected_epoch = 0;
}

gboolean arbiter_init(Arbiter *arbiter, guint64 epoch, const char *node)
{
    memset(arbiter, 0, sizeof(*arbiter));
    if (epoch == 0 || !name_fits(node))
        return FALSE;
    arbiter->epoch = arbiter->highest = epoch;
    name_set(arbiter->node, node);
    return TRUE;
}

guint64 arbiter_next_epoch(const Arbiter *arbiter)
{
    return arbiter->highest + 1;
}

ArbiterAnswer arbiter_expect(Arbiter *arbiter, const char *migration, guint64 epoch,
                             const char *node)
{
    if (!name_fits(migration) || !name_fits(node))
        return ARBITER_REFUSED;
    if (is_expected(arbiter, migration)) {
        gboolean same =
            arbiter->expected_epoch == epoch && g_str_equal(arbiter->expected_node, node);

        return same ? ARBITER_ALREADY : ARBITER_REFUSED;
    }
    if (*arbiter->migration || is_committed(arbiter, migration) ||
        epoch != arbiter_next_epoch(arbiter))
        return ARBITER_REFUSED;
    name_set(arbiter->migration, migration);
    name_set(arbiter->expected_node, node);
    arbiter->expected_epoch = arbiter->highest = epoch;
    return ARBITER_OK;
}

ArbiterAnswer arbiter_commit(Arbiter *arbiter, const char *migration, guint64 epoch,
                             const char *node)
{
    if (!name_fits(migration) || !name_fits(node))
        return ARBITER_REFUSED;
    if (is_committed(arbiter, migration))
        return arbiter_effective(arbiter, epoch, node) ? ARBITER_ALREADY : ARBITER_REFUSED;
    if (!is_expected(arbiter, migration) || arbiter->expected_epoch != epoch ||
        !g_str_equal(arbiter->expected_node, node))
        return ARBITER_REFUSED;
    arbiter->epoch = epoch;
    name_set(arbiter->node, node);
    name_set(arbiter->committed, migration);
    forget_expected(arbiter);
    return ARBITER_OK;
}

ArbiterAnswer arbiter_abort(Arbiter *arbiter, const char *migration)
{
    if (!name_fits(migration))
        return ARBITER_REFUSED;
    if (is_committed(arbiter, migration))
        return ARBITER_COMMITTED;
    if (!is_expected(arbiter, migration))
        return ARBITER_ALREADY;
    forget_expected(arbiter);
    return ARBITER_OK;
}

gboolean arbiter_effective(const Arbiter *arbiter, guint64 epoch, const char *node)
{
    return node && arbiter->epoch == epoch && g_str_equal(arbiter->node, node);
}
