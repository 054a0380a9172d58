/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verdict.c - what a controller does about a guest that is in doubt: pure decisions */
#include "verdict.h"

static const char *const names[] = { "leave", "ask", "settle", "resume", "suspend", "destroy" };
G_STATIC_ASSERT(G_N_ELEMENTS(names) == VERDICT_LAST);

const char *verdict_name(Verdict verdict)
{
    g_return_val_if_fail(verdict < VERDICT_LAST, "?");
    return names[verdict];
}

static gboolean is_effective(const VerdictHere *here, const VerdictTruth *truth)
{
    return truth->epoch == here->epoch && g_strcmp0(truth->node, here->node) == 0;
}

/* Ours: it runs, unless it is held. A running one is left alone even if a migration is expected,
 * for that may be about to begin; a paused one may be what a migration cut off has left, and must
 * not go on while a COMMIT could still be taken. */
static Verdict verdict_effective(const VerdictHere *here, const VerdictTruth *truth)
{
    if (here->guest == GUEST_RUNNING)
        return VERDICT_LEAVE;
    if (truth->expected_epoch != 0)
        return VERDICT_SETTLE;
    return here->held ? VERDICT_LEAVE : VERDICT_RESUME;
}

Verdict verdict_host(const VerdictHere *here, const VerdictTruth *truth)
{
    if (here->guest == GUEST_ENDED || here->busy)
        return VERDICT_LEAVE;
    if (here->guest == GUEST_UNKNOWN || truth->home == VERDICT_HOME_SILENT)
        return VERDICT_ASK;
    if (truth->home == VERDICT_HOME_NO_JOB)
        return VERDICT_DESTROY;
    if (is_effective(here, truth))
        return verdict_effective(here, truth);
    /* The destination of a migration whose gate is gone: complete or not, only home can say what
     * becomes of it. */
    if (truth->expected_epoch != 0 && truth->expected_epoch == here->epoch)
        return VERDICT_SETTLE;
    return VERDICT_DESTROY;
}

Verdict verdict_destination(VerdictCommit commit)
{
    switch (commit) {
    case VERDICT_COMMIT_TAKEN:
        return VERDICT_RESUME;
    case VERDICT_COMMIT_REFUSED:
        return VERDICT_DESTROY;
    default:
        return VERDICT_ASK;
    }
}

Verdict verdict_source(const VerdictHere *here, const VerdictTruth *truth)
{
    if (truth->home == VERDICT_HOME_SILENT)
        return VERDICT_ASK;
    if (truth->home == VERDICT_HOME_NO_JOB)
        return VERDICT_DESTROY;
    if (!is_effective(here, truth))
        return VERDICT_DESTROY;
    return truth->expected_epoch != 0 ? VERDICT_ASK : VERDICT_RESUME;
}

gboolean verdict_abandon(gboolean expected, gboolean running)
{
    return expected && !running;
}

Verdict verdict_orphan(guint64 silent_s, guint64 suspend_s, guint64 end_s, gboolean suspended)
{
    if (end_s != 0 && silent_s >= end_s)
        return VERDICT_DESTROY;
    if (suspend_s != 0 && silent_s >= suspend_s && !suspended)
        return VERDICT_SUSPEND;
    return VERDICT_LEAVE;
}
