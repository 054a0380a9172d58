/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-closet.h - descriptors that are open but not at hand */
#pragma once

#include <glib.h>

typedef struct FilesCloset FilesCloset;

/* An empty closet, or NULL if the limit is so high that none is needed. */
FilesCloset *files_closet_new(void);
void files_closet_free(FilesCloset *closet);

/* How many descriptors of one kind may be at hand: a quarter of all. */
guint files_closet_share(const FilesCloset *closet);

/* Puts fd away: its place, and fd is closed here; or -1 if it cannot be, and fd stays. */
int files_closet_put(FilesCloset *closet, int fd);

/* Takes a descriptor out of its place, which is free then: the descriptor; or -1, and it stays there. */
int files_closet_take(FilesCloset *closet, int place);

/* Closes what is in a place. */
void files_closet_drop(FilesCloset *closet, int place);
