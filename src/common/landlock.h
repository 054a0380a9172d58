/* SPDX-License-Identifier: GPL-2.0-or-later */
/* landlock.h - rules a process binds itself to, for good: the paths it may still use */
#pragma once

#include <glib.h>

typedef struct Landlock Landlock;

/* What a rule allows at and below a path. */
typedef enum {
    LANDLOCK_READ = 1 << 0,     /* read files, list folders */
    LANDLOCK_WRITE = 1 << 1,    /* write, truncate, make, remove, rename and link anything */
    LANDLOCK_EXECUTE = 1 << 2,  /* execute files */
} LandlockRights;

/* What else is taken away, as far as the kernel knows how. */
typedef enum {
    LANDLOCK_NO_TCP = 1 << 0,   /* no bind and no connect of TCP sockets (ABI 4) */
    LANDLOCK_NO_ABSTRACT = 1 << 1, /* no abstract UNIX sockets of processes outside (ABI 6) */
    LANDLOCK_NO_SIGNALS = 1 << 2,  /* no signals to processes outside (ABI 6) */
} LandlockFlags;

/* The kernel's Landlock ABI; 0 where there is none. */
int landlock_abi(void);

/* A set of rules that allows nothing yet; NULL and an error where the kernel has no Landlock. */
Landlock *landlock_new(LandlockFlags flags, GError **error);
void landlock_free(Landlock *landlock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Landlock, landlock_free)

/* Allows rights at and below path (for a file: those that make sense for one). FALSE if path cannot
 * be opened. */
gboolean landlock_allow(Landlock *landlock, const char *path, LandlockRights rights,
                        GError **error);

/* Binds the calling thread and all that it will start; sets no_new_privs. Cannot be undone. */
gboolean landlock_enforce(Landlock *landlock, GError **error);
