/* SPDX-License-Identifier: GPL-2.0-or-later */
/* node.c - what this node is and has */
#include "node.h"

#include "common/address.h"
#include "hosted.h"
#include "jobs.h"
#include "spare.h"
#include "load.h"
#include "template.h"

#define YOUNG_S 15 /* deputies get so long to come back after the controller was restarted */

static Image *load_image(const Conf *conf, const char *arch)
{
    g_autoptr(GError) error = NULL;

    return image_load(conf->image_dir, arch, &error);
}

Node *node_new(Conf *conf)
{
    Node *node = g_new0(Node, 1);

    node->conf = conf;
    node->started_us = g_get_monotonic_time();
    node->images[0] = load_image(conf, "x86_64");
    node->images[1] = load_image(conf, "i686");
    node->accel = g_strdup("tcg");
    node->accel_why = g_strdup("KVM is still being tried");
    node->jobs = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)job_free);
    node->hosted = g_hash_table_new(g_str_hash, g_str_equal);
    node->unowned = g_hash_table_new(g_str_hash, g_str_equal);
    node->arrivals = g_hash_table_new(g_str_hash, g_str_equal);
    node->departures = g_hash_table_new(g_str_hash, g_str_equal);
    node->stopping = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_queue_init(&node->ended);
    g_queue_init(&node->events);
    g_queue_init(&node->followers);
    node->states = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_queue_init(&node->migrating);
    g_queue_init(&node->waiting);
    node->pace = EXODUS_PACE;
    forecast_init(&node->forecast);
    standing_load(&node->standing, conf);
    host_facts(conf, &node->facts);
    return node;
}

NodeTicket *node_ticket_new(Node *node, const char *id)
{
    NodeTicket *ticket = g_new(NodeTicket, 1);

    *ticket = (NodeTicket){node, g_strdup(id)};
    return ticket;
}

void node_ticket_free(NodeTicket *ticket)
{
    g_free(ticket->id);
    g_free(ticket);
}

const char *node_name(const Node *node)
{
    return node->cluster ? cluster_self(node->cluster) : node->conf->name;
}

gboolean node_is_young(const Node *node)
{
    return g_get_monotonic_time() - node->started_us < YOUNG_S * G_USEC_PER_SEC;
}

guint node_speed(const Node *node)
{
    return node->standing.speed ? node->standing.speed : node->conf->speed;
}

guint node_link_migrations(const Node *node)
{
    return node->conf->link_migrations ? node->conf->link_migrations : node->conf->migrations;
}

const Image *node_image(Node *node, const char *arch, GError **error)
{
    Image **slot = &node->images[g_str_equal(arch, "i686") ? 1 : 0];

    if (!*slot)
        *slot = image_load(node->conf->image_dir, arch, error);
    return *slot;
}

/* What the host has, and what this node declared, less what its guests have or will have. */
guint64 node_memory_free(Node *node)
{
    guint64 available = host_memory_available(node->conf), declared = node->facts.memory_total, used = 0, promised = 0;
    GHashTableIter i;
    gpointer value;

    g_hash_table_iter_init(&i, node->hosted);
    while (g_hash_table_iter_next(&i, NULL, &value)) {
        Hosted *hosted = value;

        if (hosted->leaving)
            continue;
        used += load_bytes(hosted);
        promised += hosted->rss_bytes ? 0 : load_bytes(hosted);
    }
    available = available > promised ? available - promised : 0;
    return MIN(available, declared > used ? declared - used : 0);
}

Json *node_row(Node *node)
{
    Json *row = json_object();
    const Conf *conf = node->conf;
    guint level = host_cpu_level(&node->facts, node->accel);
    BalanceNode load = load_self(node);

    json_set_string(row, "name", node_name(node));
    json_set_string(row, "address", node->cluster ? cluster_address(node->cluster) : conf->address);
    json_set_string(row, "state", "alive");
    json_set_string(row, "accel", node->accel);
    json_set_int(row, "cpus", conf->cpus);
    json_set_double(row, "load", ((gint64)(load.demand / load.cpus * 100 + 0.5)) / 100.0);
    json_set_double(row, "demand", ((gint64)(load.demand * 1000 + 0.5)) / 1000.0);
    json_set_int(row, "memory_total_bytes", node->facts.memory_total);
    json_set_int(row, "memory_free_bytes", node_memory_free(node));
    json_set_int(row, "jobs", g_hash_table_size(node->hosted));
    json_set_string(row, "image", node->images[0] ? node->images[0]->digest : "");
    json_set_string(row, "image_i686", node->images[1] ? node->images[1]->digest : "");
    json_set_string(row, "version", NODE_VERSION);
    json_set_string(row, "qemu", node->facts.qemu_version);
    json_set_string(row, "machine", conf->machine);
    json_set_int(row, "cpu_level", level);
    json_set_string(row, "cpu_model", *conf->cpu_model ? conf->cpu_model : host_cpu_model(level));
    json_set_int(row, "tsc_khz", node->facts.tsc_khz);
    json_set_string(row, "spare", spare_state(node));
    json_set_string(row, "template", template_state(node));
    json_set_int(row, "speed", node_speed(node));
    standing_show(&node->standing, row);
    json_set(row, "guests", hosted_usage(node));
    return row;
}

Json *node_rows(Node *node)
{
    Json *rows = json_array();
    g_autoptr(Json) others = node->cluster ? cluster_rows(node->cluster) : NULL;

    json_append(rows, json_set_bool(node_row(node), "self", TRUE));
    for (guint i = 0; i < json_length(others); i++)
        json_append(rows, json_ref(json_at(others, i)));
    return rows;
}

/* As people sort: node2 before node10. */
static gint compare_names(gconstpointer a, gconstpointer b)
{
    g_autofree char *first = g_utf8_collate_key_for_filename(*(char *const *)a, -1);
    g_autofree char *second = g_utf8_collate_key_for_filename(*(char *const *)b, -1);

    return strcmp(first, second);
}

char *node_meant(Node *node, const char *word)
{
    g_autoptr(Json) rows = node_rows(node);
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const char *found = NULL;
    guint64 number = 0;

    g_ascii_string_to_unsigned(word, 10, 1, G_MAXUINT16, &number, NULL);

    for (guint i = 0; i < json_length(rows); i++) {
        const char *name = json_get_string(json_at(rows, i), "name", "");

        g_ptr_array_add(names, (char *)name);
        if (g_str_equal(name, word))
            return g_strdup(word);
        if (g_str_equal(json_get_string(json_at(rows, i), "address", ""), word) ||
            (number && address_number(json_get_string(json_at(rows, i), "address", "")) == number))
            found = name;
    }
    g_ptr_array_sort(names, compare_names);
    if (!found && number && number <= names->len)
        found = names->pdata[number - 1];
    return g_strdup(found ?: word);
}

Json *node_row_of(Node *node, const char *name)
{
    if (g_strcmp0(name, node_name(node)) == 0)
        return json_set_bool(node_row(node), "self", TRUE);
    return node->cluster ? cluster_row(node->cluster, name) : NULL;
}

void node_describe(Node *node, Json *description, const Image *image)
{
    json_set_string(description, "accel", node->accel);
    json_set_string(description, "machine", node->conf->machine);
    json_set_string(description, "cpu_model", node_cpu_model(node, node->accel));
    json_set_string(description, "qemu", node->facts.qemu_version);
    json_set_int(description, "tsc_khz", node->facts.tsc_khz);
    json_set_string(description, "image", image->digest);
}

const char *node_cpu_model(Node *node, const char *accel)
{
    guint lowest = host_cpu_level(&node->facts, accel);
    g_autoptr(Json) rows = node->cluster ? cluster_rows(node->cluster) : NULL;

    if (*node->conf->cpu_model)
        return node->conf->cpu_model;
    for (guint i = 0; i < json_length(rows); i++) {
        Json *row = json_at(rows, i);

        if (g_str_equal(json_get_string(row, "accel", ""), accel))
            lowest = MIN(lowest, (guint)json_get_int(row, "cpu_level", lowest));
    }
    return host_cpu_model(lowest);
}
