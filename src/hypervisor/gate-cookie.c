/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gate-cookie.c - libvirt's migration cookies: read from another node, written anew */
#include "gate-cookie.h"

#include <string.h>

#include "common/error.h"

#define LIST_MAX 128          /* capabilities, or statistics */
#define WORD_MAX 64

typedef enum {
    TAKE_NOTHING,
    TAKE_NAME,
    TAKE_UUID,
    TAKE_HOST,
    TAKE_HOST_UUID,
    TAKE_NUMBER,
    TAKE_LAST
} Take;

typedef struct {
    const char *name, *uuid;  /* what they must be */
    guint depth;
    guint skip;               /* depth of an element whose content is left out, 0: none */
    char *list;               /* "capabilities" or "statistics" while in one */
    Take take;                /* what the text is for */
    GString *text;
    GString *capabilities, *statistics;
    char *host, *host_uuid;
    guint seen[TAKE_LAST], items;
    gboolean capabilities_seen, statistics_seen;
} Reading;

static void refuse(GError **error, const char *what, const char *which)
{
    g_set_error(error, SJ_ERROR, SJ_ERROR_PROTOCOL, "the migration cookie has %s '%.80s'", what,
                which);
}

static gboolean is_made_of(const char *word, const char *extra)
{
    gsize length = strlen(word);

    if (length == 0 || length > WORD_MAX * 4)
        return FALSE;
    for (const char *c = word; *c; c++)
        if (!g_ascii_isalnum(*c) && !strchr(extra, *c))
            return FALSE;
    return TRUE;
}

static const char *attribute(const char **names, const char **values, const char *name)
{
    for (guint i = 0; names[i]; i++)
        if (g_str_equal(names[i], name))
            return values[i];
    return "";
}

static gboolean is_one_of(const char *word, const char *const *words)
{
    return g_strv_contains(words, word);
}

/* An element of the root. */
static void open_part(Reading *reading, const char *element, const char **names,
                      const char **values, GError **error)
{
    static const char *const features[] = { "lockstate", "memory-hotplug", "cpu-hotplug", NULL };
    static const char *const left_out[] = { "cpu", "lockstate", NULL };
    static const char *const texts[TAKE_LAST] = {
        [TAKE_NAME] = "name",
        [TAKE_UUID] = "uuid",
        [TAKE_HOST] = "hostname",
        [TAKE_HOST_UUID] = "hostuuid",
    };
    gboolean *list_seen = NULL;

    for (Take take = TAKE_NAME; take <= TAKE_HOST_UUID; take++) {
        if (g_str_equal(element, texts[take])) {
            reading->take = take;
            if (reading->seen[take]++ > 0)
                refuse(error, "a second element", element);
            return;
        }
    }
    if (is_one_of(element, left_out)) {
        reading->skip = reading->depth;
        return;
    }
    if (g_str_equal(element, "feature")) {
        const char *feature = attribute(names, values, "name");

        if (!is_one_of(feature, features))
            refuse(error, "the feature", feature);
        return;
    }
    if (g_str_equal(element, "capabilities"))
        list_seen = &reading->capabilities_seen;
    else if (g_str_equal(element, "statistics"))
        list_seen = &reading->statistics_seen;
    if (!list_seen || *list_seen) {
        refuse(error, "an element that is not admitted,", element);
        return;
    }
    *list_seen = TRUE;
    reading->list = g_strdup(element);
    reading->items = 0;
}

/* An element of a list. */
static void open_item(Reading *reading, const char *element, const char **names,
                      const char **values, GError **error)
{
    const char *name = attribute(names, values, "name"),
               *automatic = attribute(names, values, "auto");

    if (!reading->list || ++reading->items > LIST_MAX) {
        refuse(error, "an element too many,", element);
    } else if (g_str_equal(reading->list, "statistics")) {
        reading->take = TAKE_NUMBER;
        if (!is_made_of(element, "_"))
            refuse(error, "a statistic", element);
    } else if (!g_str_equal(element, "cap") || !is_made_of(name, "-_")) {
        refuse(error, "a capability", name);
    } else {
        g_string_append_printf(reading->capabilities, "    <cap name='%s' auto='%s'/>\n", name,
                               g_str_equal(automatic, "yes") ? "yes" : "no");
    }
}

static void on_open(GMarkupParseContext *context, const char *element, const char **names,
                    const char **values, gpointer user, GError **error)
{
    Reading *reading = user;

    reading->depth++;
    g_string_truncate(reading->text, 0);
    if (reading->skip)
        return;
    if (reading->take != TAKE_NOTHING)
        refuse(error, "an element within a text,", element);
    else if (reading->depth == 1 && !g_str_equal(element, "qemu-migration"))
        refuse(error, "the root", element);
    else if (reading->depth == 2)
        open_part(reading, element, names, values, error);
    else if (reading->depth == 3)
        open_item(reading, element, names, values, error);
    else if (reading->depth > 3)
        refuse(error, "an element too deep,", element);
}

static gboolean is_number(const char *text)
{
    gsize digits = strspn(text, "0123456789");

    if (*text == '-')
        return is_number(text + 1) && text[1] != '-';
    return digits > 0 && digits <= 20 && text[digits] == 0;
}

static void close_text(Reading *reading, const char *element, GError **error)
{
    const char *text = reading->text->str;
    gboolean good = TRUE;

    switch (reading->take) {
    case TAKE_NAME:
        good = g_str_equal(text, reading->name);
        break;
    case TAKE_UUID:
        good = g_str_equal(text, reading->uuid);
        break;
    case TAKE_HOST:
        good = is_made_of(text, ".-_");
        reading->host = g_strdup(text);
        break;
    case TAKE_HOST_UUID:
        good = g_uuid_string_is_valid(text);
        reading->host_uuid = g_strdup(text);
        break;
    case TAKE_NUMBER:
        good = is_number(text);
        g_string_append_printf(reading->statistics, "    <%s>%s</%s>\n", element, text, element);
        break;
    default:
        break;
    }
    if (!good)
        refuse(error, element, text);
    reading->take = TAKE_NOTHING;
}

static void on_close(GMarkupParseContext *context, const char *element, gpointer user,
                     GError **error)
{
    Reading *reading = user;

    if (reading->skip) {
        if (reading->skip == reading->depth)
            reading->skip = 0;
    } else {
        close_text(reading, element, error);
        if (reading->depth == 2)
            g_clear_pointer(&reading->list, g_free);
    }
    reading->depth--;
}

static void on_text(GMarkupParseContext *context, const char *text, gsize size, gpointer user,
                    GError **error)
{
    Reading *reading = user;

    if (!reading->skip && reading->take != TAKE_NOTHING)
        g_string_append_len(reading->text, text, size);
}

/* Comments, declarations, processing instructions, document types. */
static void on_other(GMarkupParseContext *context, const char *text, gsize size, gpointer user,
                     GError **error)
{
    g_autofree char *what = g_strndup(text, MIN(size, 40));

    refuse(error, "more than elements,", what);
}

static gboolean parse(Reading *reading, const char *text, gsize size, GError **error)
{
    static const GMarkupParser parser = { on_open, on_close, on_text, on_other, NULL };
    g_autoptr(GMarkupParseContext) context = g_markup_parse_context_new(&parser, 0, reading, NULL);
    g_autoptr(GError) inner = NULL;

    if (g_markup_parse_context_parse(context, text, size, &inner) &&
        g_markup_parse_context_end_parse(context, &inner))
        return TRUE;
    if (inner->domain == SJ_ERROR)
        g_propagate_error(error, g_steal_pointer(&inner));
    else
        refuse(error, "broken XML:", inner->message);
    return FALSE;
}

static GBytes *write_anew(const Reading *reading)
{
    GString *out = g_string_new("<qemu-migration>\n");
    gsize size;

    g_string_append_printf(out, "  <name>%s</name>\n  <uuid>%s</uuid>\n", reading->name,
                           reading->uuid);
    g_string_append_printf(out, "  <hostname>%s</hostname>\n  <hostuuid>%s</hostuuid>\n",
                           reading->host, reading->host_uuid);
    if (reading->statistics_seen)
        g_string_append_printf(out, "  <statistics>\n%s  </statistics>\n",
                               reading->statistics->str);
    if (reading->capabilities_seen)
        g_string_append_printf(out, "  <capabilities>\n%s  </capabilities>\n",
                               reading->capabilities->str);
    g_string_append(out, "</qemu-migration>\n");
    size = out->len + 1;
    return g_bytes_new_take(g_string_free(out, FALSE), size);
}

static void reading_clear(Reading *reading)
{
    g_free(reading->list);
    g_free(reading->host);
    g_free(reading->host_uuid);
    g_string_free(reading->text, TRUE);
    g_string_free(reading->capabilities, TRUE);
    g_string_free(reading->statistics, TRUE);
}

GBytes *gate_cookie_rewrite(GBytes *cookie, const char *name, const char *uuid, GError **error)
{
    Reading reading = { .name = name, .uuid = uuid };
    gsize size;
    const char *text = g_bytes_get_data(cookie, &size);
    GBytes *result = NULL;

    if (size < 2 || text[size - 1] != 0 || memchr(text, 0, size) != text + size - 1) {
        refuse(error, "no end, or an early one:", "NUL");
        return NULL;
    }
    reading.text = g_string_new(NULL);
    reading.capabilities = g_string_new(NULL);
    reading.statistics = g_string_new(NULL);
    if (parse(&reading, text, size - 1, error)) {
        if (reading.seen[TAKE_NAME] && reading.seen[TAKE_UUID] && reading.host && reading.host_uuid)
            result = write_anew(&reading);
        else
            refuse(error, "no", "name, uuid, hostname or hostuuid");
    }
    reading_clear(&reading);
    return result;
}
