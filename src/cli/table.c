/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.c - rows and columns on standard output, in virsh's manner */
#include "table.h"

#include <stdio.h>
#include <string.h>

struct Table {
    GPtrArray *cells;   /* the headings first */
    guint columns;
};

Table *table_new(const char *heading, ...)
{
    Table *table = g_new0(Table, 1);
    va_list args;

    table->cells = g_ptr_array_new_with_free_func(g_free);
    va_start(args, heading);
    for (; heading; heading = va_arg(args, const char *)) {
        table_cell(table, heading);
        table->columns++;
    }
    va_end(args);
    return table;
}

void table_take(Table *table, char *text)
{
    if (!text || !*text) {
        g_free(text);
        text = g_strdup("-");
    }
    for (char *p = text; *p; p++)
        if (g_ascii_iscntrl(*p))
            *p = '?';
    g_ptr_array_add(table->cells, text);
}

void table_cell(Table *table, const char *text)
{
    table_take(table, g_strdup(text));
}

static int width_of(const char *text)
{
    return g_utf8_validate(text, -1, NULL) ? (int) g_utf8_strlen(text, -1) : (int) strlen(text);
}

void table_print(Table *table)
{
    g_autofree int *widths = g_new0(int, table->columns);
    int all = 0;

    for (guint i = 0; i < table->cells->len; i++)
        widths[i % table->columns] = MAX(widths[i % table->columns],
                                         width_of(table->cells->pdata[i]));
    for (guint i = 0; i < table->columns; i++)
        all += widths[i] + 3;
    for (guint i = 0; i < table->cells->len; i++) {
        const char *text = table->cells->pdata[i];
        gboolean last = (i + 1) % table->columns == 0;

        printf(" %s%*s", text, last ? 0 : widths[i % table->columns] - width_of(text) + 2, "");
        if (last)
            putchar('\n');
        if (i + 1 == table->columns) {
            for (int dash = 0; dash < all - 1; dash++)
                putchar('-');
            putchar('\n');
        }
    }
    putchar('\n');
    g_ptr_array_unref(table->cells);
    g_free(table);
}
