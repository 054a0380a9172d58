/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.h - rows and columns on standard output, in virsh's manner */
#pragma once

#include <glib.h>

typedef struct Table Table;

/* Headings, ended by NULL. */
Table *table_new(const char *heading, ...) G_GNUC_NULL_TERMINATED;

/* One cell after another, row by row; NULL or "" is shown as "-". table_take frees the text. */
void table_cell(Table *table, const char *text);
void table_take(Table *table, char *text);

/* Prints and frees. Control characters are shown as "?", so that a job's name cannot steer the
 * terminal. */
void table_print(Table *table);
