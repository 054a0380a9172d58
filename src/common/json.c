/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json.c - JSON values; the only part that knows json-c */
/* json-c gives two of our names to its types: they are ours, and its object is our Json. */
#define json_object Json
#define json_bool json_c_bool
#include <json-c/json.h>
#undef json_object
#undef json_bool

#include "json.h"

#include "error.h"

#include <string.h>

#define MAX_DEPTH 64
#define PLAIN (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

Json *json_object(void)
{
    return json_object_new_object();
}

Json *json_array(void)
{
    return json_object_new_array();
}

Json *json_string(const char *text)
{
    g_autofree char *valid = text && !g_utf8_validate(text, -1, NULL) ? g_utf8_make_valid(text, -1) : NULL;

    return text ? json_object_new_string(valid ? valid : text) : NULL;
}

Json *json_int(gint64 value)
{
    return json_object_new_int64(value);
}

Json *json_bool(gboolean value)
{
    return json_object_new_boolean(value);
}

Json *json_double(double value)
{
    return json_object_new_double(value);
}

Json *json_ref(Json *json)
{
    return json ? json_object_get(json) : NULL;
}

void json_unref(Json *json)
{
    if (json)
        json_object_put(json);
}

Json *json_set(Json *object, const char *key, Json *value)
{
    json_object_object_add(object, key, value);
    return object;
}

Json *json_set_string(Json *object, const char *key, const char *value)
{
    return json_set(object, key, json_string(value));
}

Json *json_set_int(Json *object, const char *key, gint64 value)
{
    return json_set(object, key, json_int(value));
}

Json *json_set_bool(Json *object, const char *key, gboolean value)
{
    return json_set(object, key, json_bool(value));
}

Json *json_set_double(Json *object, const char *key, double value)
{
    return json_set(object, key, json_double(value));
}

void json_remove(Json *object, const char *key)
{
    json_object_object_del(object, key);
}

Json *json_get(Json *object, const char *key)
{
    Json *value = NULL;

    if (json_is_object(object))
        json_object_object_get_ex(object, key, &value);
    return value;
}

const char *json_get_string(Json *object, const char *key, const char *fallback)
{
    const char *text = json_text(json_get(object, key));

    return text ? text : fallback;
}

static gboolean is_number(Json *value)
{
    return json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double);
}

gint64 json_get_int(Json *object, const char *key, gint64 fallback)
{
    Json *value = json_get(object, key);

    return is_number(value) ? json_object_get_int64(value) : fallback;
}

gboolean json_get_bool(Json *object, const char *key, gboolean fallback)
{
    Json *value = json_get(object, key);

    return json_object_is_type(value, json_type_boolean) ? json_object_get_boolean(value) : fallback;
}

double json_get_double(Json *object, const char *key, double fallback)
{
    Json *value = json_get(object, key);

    return is_number(value) ? json_object_get_double(value) : fallback;
}

gboolean json_has(Json *object, const char *key)
{
    return json_is_object(object) && json_object_object_get_ex(object, key, NULL);
}

Json *json_append(Json *array, Json *value)
{
    json_object_array_add(array, value);
    return array;
}

guint json_length(Json *array)
{
    return json_is_array(array) ? json_object_array_length(array) : 0;
}

Json *json_at(Json *array, guint index)
{
    return index < json_length(array) ? json_object_array_get_idx(array, index) : NULL;
}

const char *json_text(Json *value)
{
    return json_is_string(value) ? json_object_get_string(value) : NULL;
}

gint64 json_number(Json *value)
{
    return is_number(value) ? json_object_get_int64(value) : 0;
}

gboolean json_is_object(Json *value)
{
    return value && json_object_is_type(value, json_type_object);
}

gboolean json_is_array(Json *value)
{
    return value && json_object_is_type(value, json_type_array);
}

gboolean json_is_string(Json *value)
{
    return value && json_object_is_type(value, json_type_string);
}

Json *json_copy(Json *value)
{
    Json *copy = NULL;

    if (value)
        json_object_deep_copy(value, &copy, NULL);
    return copy;
}

char **json_to_strv(Json *array)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

    for (guint i = 0; i < json_length(array); i++)
        if (json_is_string(json_at(array, i)))
            g_strv_builder_add(builder, json_text(json_at(array, i)));
    return g_strv_builder_end(builder);
}

Json *json_from_strv(const char *const *strv)
{
    Json *array = json_array();

    for (; strv && *strv; strv++)
        json_append(array, json_string(*strv));
    return array;
}

void json_each(Json *object, void (*each)(const char *key, Json *value, gpointer user), gpointer user)
{
    struct json_object_iterator member, end;

    if (!json_is_object(object))
        return;
    member = json_object_iter_begin(object);
    end = json_object_iter_end(object);
    for (; !json_object_iter_equal(&member, &end); json_object_iter_next(&member))
        each(json_object_iter_peek_name(&member), json_object_iter_peek_value(&member), user);
}

Json *json_parse(const char *text, gssize length, GError **error)
{
    json_tokener *tokener = json_tokener_new_ex(MAX_DEPTH);
    size_t size = length < 0 ? strlen(text) : (size_t)length;
    Json *json = NULL;
    enum json_tokener_error verdict = json_tokener_error_size;

    /* Text with a NUL byte, or more of it than an int counts, is no JSON; the final NUL ends a bare number. */
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    if (size < G_MAXINT - 1 && !memchr(text, 0, size)) {
        g_autofree char *copy = g_strndup(text, size);

        json = json_tokener_parse_ex(tokener, copy, (int)size + 1);
        verdict = json_tokener_get_error(tokener);
    }
    if (verdict != json_tokener_success) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_PROTOCOL, "This is not JSON: %s",
                    json_tokener_error_desc(verdict));
        json_unref(json);
        json = NULL;
    } else if (!json) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_PROTOCOL, "The JSON value is null");
    }
    json_tokener_free(tokener);
    return json;
}

char *json_print(Json *json)
{
    return g_strdup(json ? json_object_to_json_string_ext(json, PLAIN) : "null");
}

char *json_print_pretty(Json *json)
{
    return g_strdup(json ? json_object_to_json_string_ext(
                               json, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE)
                         : "null");
}

Json *json_load(const char *path, GError **error)
{
    g_autofree char *text = NULL;
    gsize length;
    Json *json;

    if (!g_file_get_contents(path, &text, &length, error))
        return NULL;
    json = json_parse(text, length, error);
    if (!json)
        g_prefix_error(error, "%s: ", path);
    return json;
}

gboolean json_save(Json *json, const char *path, int mode, GError **error)
{
    g_autofree char *text = json_print_pretty(json);

    return g_file_set_contents_full(path, text, -1,
                                    G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, mode, error);
}
