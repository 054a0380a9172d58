/* SPDX-License-Identifier: GPL-2.0-or-later */
/* procfs.h - openMosix's files of /proc: which there are, what they say, what writing to them orders; no file system yet
 *
 *     hpc/nodes/ID/FILE      what the cluster knows of a node; ID is openMosix's number, or the name of a node that has none
 *     hpc/admin/FILE         this node: standing orders, expel and bring
 *     hpc/remote/PID/FILE    a guest here of a job that is at home elsewhere, by its process number there
 *     PID/FILE               a job at home here, by the process number of its "sojourn run"
 *
 * Pure: a path becomes a place, a place and what the controller says become a text, a place and a text become a call.
 */
#pragma once

#include "common/json.h"

typedef enum { PROCFS_NODE, PROCFS_ADMIN, PROCFS_REMOTE, PROCFS_JOB } ProcfsKind;

/* What is ordered: a call's method and params (to be freed; a job's lack the job). */
typedef struct {
    const char *method;
    Json *params;
    gboolean all;       /* it counts as failed if jobs have stayed */
} ProcfsOrder;

typedef struct {
    const char *name;
    /* What it says (g_free), of a row of node.list or of a job's job.show; nodes is node.list. NULL: it cannot be read. */
    char *(*show)(Json *row, Json *nodes);
    /* What the text orders; FALSE: it means nothing. NULL: it cannot be written. */
    gboolean (*order)(const char *text, ProcfsOrder *ret_order);
} ProcfsFile;

typedef enum { PROCFS_ROOT, PROCFS_HPC, PROCFS_NODES, PROCFS_GUESTS, PROCFS_FOLDER } ProcfsLevel;

typedef struct {
    ProcfsLevel level;      /* of folders; FOLDER is one that has files, of this kind: */
    ProcfsKind kind;
    char of[64];            /* the node's ID or name, or the PID */
    const ProcfsFile *file; /* NULL: the folder itself */
} ProcfsPlace;

/* The files of a kind of folder; ends with a NULL name. */
const ProcfsFile *procfs_files(ProcfsKind kind);

/* FALSE: there can be no such path. Whether there is such a node or job is another matter. */
gboolean procfs_place(const char *path, ProcfsPlace *ret_place);

/* The name of a node's folder (g_free). */
char *procfs_node_name(Json *row);

/* A line with the ID of the node of this name (g_free). */
char *procfs_id(Json *nodes, const char *name);

/* The row that a folder's name means, NULL where there is none: by ID or name out of node.list; by PID, of jobs at home at the
 * first node, or of others, out of job.list. */
Json *procfs_node(Json *nodes, const char *of);
Json *procfs_job(Json *jobs, Json *nodes, const char *of);
Json *procfs_guest(Json *jobs, Json *nodes, const char *of);

/* Of hpc/remote; ends with a NULL name. */
extern const ProcfsFile procfs_remote_files[];
