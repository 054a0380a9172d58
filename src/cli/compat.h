/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat.h - openMosix's old names, one program: what its files share
 *
 * A node's ID is what openMosix's discovery made of an address: its low 16 bits. So 192.168.10.220 is 2780 (0x0adc).
 */
#pragma once

#include "common/json.h"

typedef struct {
    const char *name, *args;
    int (*run)(int argc, char **argv);
} OldName;

/* The names that this program has (ends with a NULL name). */
extern const OldName old_names[];

/* A node's ID; 0: it has no IPv4 address. */
guint compat_id(Json *row);

/* The row of a node by ID, address or name, out of node.list; NULL and a sentence where there is none. */
Json *compat_node(Json *rows, const char *text);

/* node.list, or NULL: the sentence was printed. */
Json *compat_nodes(int *ret_status);

/* Where "ID", "home" or "balance" is, as job.migrate understands it (g_free); NULL: the sentence was printed. */
char *compat_place(const char *text);

/* Prints how name is used; returns 1, what openMosix's programs ended with. */
int compat_usage(const char *name);

int compat_joingroup(int argc, char **argv);
int compat_migrate(int argc, char **argv);
int compat_mon(int argc, char **argv);
int compat_mosctl(int argc, char **argv);
int compat_mps(int argc, char **argv);
int compat_mtop(int argc, char **argv);
int compat_omdiscd(int argc, char **argv);
int compat_mosrun(int argc, char **argv);
int compat_migrategroup(int argc, char **argv);
int compat_resetgroup(int argc, char **argv);
int compat_runner(int argc, char **argv);
int compat_setpe(int argc, char **argv);
int compat_showgroup(int argc, char **argv);
int compat_showmap(int argc, char **argv);
