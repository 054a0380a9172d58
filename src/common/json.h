/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json.h - JSON values; the only part that knows json-c */
#pragma once

#include <glib.h>

typedef struct Json Json;

/* Constructors return a new reference; a setter takes over the reference of its child. */
Json *json_object(void);
Json *json_array(void);
Json *json_string(const char *text);   /* NULL gives JSON null; bytes that are no UTF-8 are replaced */
Json *json_int(gint64 value);
Json *json_bool(gboolean value);
Json *json_double(double value);
Json *json_ref(Json *json);
void json_unref(Json *json);            /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Json, json_unref)

/* Members of an object. json_set* return the object, so that calls can be chained. */
Json *json_set(Json *object, const char *key, Json *value);
Json *json_set_string(Json *object, const char *key, const char *value);
Json *json_set_int(Json *object, const char *key, gint64 value);
Json *json_set_bool(Json *object, const char *key, gboolean value);
Json *json_set_double(Json *object, const char *key, double value);
void json_remove(Json *object, const char *key);

/* Getters return the fallback where the member is missing or of another type; nothing is owned by the caller. */
Json *json_get(Json *object, const char *key);
const char *json_get_string(Json *object, const char *key, const char *fallback);
gint64 json_get_int(Json *object, const char *key, gint64 fallback);
gboolean json_get_bool(Json *object, const char *key, gboolean fallback);
double json_get_double(Json *object, const char *key, double fallback);
gboolean json_has(Json *object, const char *key);

/* Arrays. json_append takes over value and returns the array. */
Json *json_append(Json *array, Json *value);
guint json_length(Json *array);         /* 0 for anything that is not an array */
Json *json_at(Json *array, guint index);
const char *json_text(Json *value);     /* a string's text; NULL for other types */
gint64 json_number(Json *value);        /* a number's value; 0 for other types */
gboolean json_is_object(Json *value);
gboolean json_is_array(Json *value);
gboolean json_is_string(Json *value);
Json *json_copy(Json *value);           /* a deep copy */

/* A NULL-terminated vector of an array's strings, other members left out (g_strfreev), and back. */
char **json_to_strv(Json *array);
Json *json_from_strv(const char *const *strv);

/* Calls back for each member of an object, in order. */
void json_each(Json *object, void (*each)(const char *key, Json *value, gpointer user), gpointer user);

/* Parses exactly one value of at most 64 levels; NULL and an error otherwise. */
Json *json_parse(const char *text, gssize length, GError **error);

/* Text in one line (g_free), or indented for people. */
char *json_print(Json *json);
char *json_print_pretty(Json *json);

/* Reads or writes (atomically, with the given mode) a whole file. */
Json *json_load(const char *path, GError **error);
gboolean json_save(Json *json, const char *path, int mode, GError **error);
