/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fields.h - one thing's properties, a line each: "Node:          node2" */
#pragma once

#include "common/json.h"

typedef enum {
    FIELD_TEXT, FIELD_NUMBER, FIELD_DECIMAL, FIELD_SIZE, FIELD_YES, FIELD_TIME
} FieldKind;

typedef struct {
    const char *label, *key;
    FieldKind kind;
    const char *unit;   /* after a number; may be NULL */
} Field;

/* Prints those fields that object has; the table ends with a NULL label. */
void fields_print(Json *object, const Field *fields);

/* One line of that form. */
void fields_line(const char *label, const char *format, ...) G_GNUC_PRINTF(2, 3);
