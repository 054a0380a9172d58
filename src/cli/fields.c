/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fields.c - one thing's properties, a line each: "Node:          node2" */
#include "fields.h"

#include "client.h"

#include <stdio.h>

#define LABEL_WIDTH 16

void fields_line(const char *label, const char *format, ...)
{
    g_autofree char *with_colon = g_strconcat(label, ":", NULL), *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    for (char *p = text; *p; p++)
        if (g_ascii_iscntrl(*p))
            *p = '?';
    printf("%-*s %s\n", LABEL_WIDTH, with_colon, text);
}

static char *field_text(Json *object, const Field *field)
{
    g_autoptr(GDateTime) time = NULL;

    switch (field->kind) {
    case FIELD_TEXT:
        return g_strdup(json_get_string(object, field->key, "-"));
    case FIELD_NUMBER:
        return g_strdup_printf("%" G_GINT64_FORMAT, json_get_int(object, field->key, 0));
    case FIELD_DECIMAL:
        return g_strdup_printf("%.2f", json_get_double(object, field->key, 0));
    case FIELD_SIZE:
        return client_size(json_get_int(object, field->key, 0));
    case FIELD_YES:
        return g_strdup(json_get_bool(object, field->key, FALSE) ? "yes" : "no");
    case FIELD_TIME:
        time = g_date_time_new_from_unix_local(json_get_int(object, field->key, 0));
        return time ? g_date_time_format(time, "%F %T") : NULL;
    }
    return NULL;
}

void fields_print(Json *object, const Field *fields)
{
    for (const Field *field = fields; field->label; field++) {
        g_autofree char *text = json_has(object, field->key) ? field_text(object, field) : NULL;

        if (text && *text)
            fields_line(field->label, "%s%s%s", text, field->unit ? " " : "", field->unit
                        ? field->unit : "");
    }
}
