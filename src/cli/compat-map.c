/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat-map.c - setpe and showmap: the cluster as openMosix's table, and a table looked through for its classic mistakes
 *
 * Three fields a line: first node ID, IP address or host name, how many nodes from there ("1 192.168.1.1 4"), or ALIAS for a
 * second address of a node. Who belongs to a cluster is a matter of certificates here ("sojourn cluster join"), so a table is
 * compared with it, not loaded.
 */
#include "client.h"
#include "common/log.h"
#include "compat.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define ENTRIES_MAX 256

static void print_table(Json *rows, FILE *file)
{
    for (guint i = 0; i < json_length(rows); i++)
        fprintf(file, "%u %s 1\n", compat_id(json_at(rows, i)), json_get_string(json_at(rows, i), "address", "?"));
}

int compat_showmap(int argc, char **argv)
{
    g_autoptr(Json) rows = NULL;
    int status;

    if (argc > 1)
        return compat_usage("showmap");
    rows = compat_nodes(&status);
    if (!rows)
        return 1;
    printf("My Node-Id: 0x%04x\n\nBase Node-Id Address          Count\n", compat_id(json_at(rows, 0)));
    for (guint i = 0; i < json_length(rows); i++)
        printf("0x%04x       %-16s 1\n", compat_id(json_at(rows, i)), json_get_string(json_at(rows, i), "address", "?"));
    return 0;
}

/* Host order; 0: it is no address and no name of one. */
static guint32 address_of(const char *text)
{
    struct addrinfo hints = { .ai_family = AF_INET }, *found = NULL;
    guint32 address = 0;

    if (getaddrinfo(text, NULL, &hints, &found) == 0)
        address = ntohl(((struct sockaddr_in *) (void *) found->ai_addr)->sin_addr.s_addr);
    if (found)
        freeaddrinfo(found);
    return address;
}

typedef struct {
    GHashTable *ids, *addresses;   /* of guint: seen */
    guint line, mistakes;
    GString *plain;                /* the table without blanks, comments and names of hosts */
} Check;

static void G_GNUC_PRINTF(2, 3) mistake(Check *check, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    log_error("line %u: %s", check->line, text);
    check->mistakes++;
}

static void check_range(Check *check, guint64 id, guint32 address, guint64 count)
{
    for (guint i = 0; i < count && check->mistakes < 20; i++) {
        if (!g_hash_table_add(check->ids, GUINT_TO_POINTER((guint) id + i)))
            mistake(check, "node %u is there twice", (guint) id + i);
        if (!g_hash_table_add(check->addresses, GUINT_TO_POINTER(address + i)))
            mistake(check, "an address of node %u is there twice", (guint) id + i);
    }
}

static void check_line(Check *check, char *line)
{
    guint64 id, count = 0;
    guint32 address;
    char *words[4];
    guint n = 0;

    line[strcspn(line, "#\r\n")] = 0;
    for (char *word = strtok(line, " \t"); word && n < 4; word = strtok(NULL, " \t"))
        words[n++] = word;
    if (!n)
        return;
    if (n != 3 || !g_ascii_string_to_unsigned(words[0], 10, 1, 65535, &id, NULL) ||
        (!g_str_equal(words[2], "ALIAS") && !g_ascii_string_to_unsigned(words[2], 10, 0, ENTRIES_MAX, &count, NULL))) {
        mistake(check, "three fields are wanted: a node's ID (1 to 65535), an address or host name, how many nodes (or ALIAS)");
        return;
    }
    address = address_of(words[1]);
    g_string_append_printf(check->plain, "%u %u %u\n", (guint) id, address, (guint) count);
    if (!address)
        mistake(check, "%s is no address, and no host of that name is known", words[1]);
    else if (address >> 24 == 127)
        mistake(check, "%s is %u.%u.%u.%u, which is every machine itself: give it its own address in /etc/hosts", words[1],
                address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
    else if (count)
        check_range(check, id, address, count);
    else
        g_hash_table_add(check->addresses, GUINT_TO_POINTER(address));
}

/* What is in the cluster and not in the table. */
static void check_members(Check *check, Json *rows)
{
    check->line = 0;
    for (guint i = 0; i < json_length(rows); i++) {
        const char *address = json_get_string(json_at(rows, i), "address", "");

        if (g_hash_table_contains(check->addresses, GUINT_TO_POINTER(address_of(address))))
            continue;
        log_error(i == 0 ? "my IP address (%s) is not there!" : "%s is in the cluster and not there", address);
        check->mistakes++;
    }
}

/* Which other nodes were given another table. */
static void check_others(Check *check, Json *rows, const char *digest)
{
    for (guint i = 1; i < json_length(rows); i++) {
        const char *map = json_get_string(json_at(rows, i), "map", digest);

        if (g_str_equal(map, digest))
            continue;
        log_error("%s was given another table: it must be the same on every node", json_get_string(json_at(rows, i), "name", "?"));
        check->mistakes++;
    }
}

/* The node remembers the table's digest, for setpe on the others to compare theirs with. */
static int remember_table(const char *digest)
{
    int status;
    g_autoptr(Json) result = client_call("node.standing", json_set_string(json_object(), "map", digest), 30000, &status);

    return result ? 0 : 1;
}

static int check_table(FILE *file, gboolean remember)
{
    Check check = { g_hash_table_new(NULL, NULL), g_hash_table_new(NULL, NULL), 0, 0, g_string_new(NULL) };
    g_autoptr(Json) rows = NULL;
    g_autofree char *digest = NULL;
    char line[1024];
    int status;

    while (check.mistakes < 20 && fgets(line, sizeof line, file)) {
        check.line++;
        check_line(&check, line);
    }
    if (g_hash_table_size(check.ids) > ENTRIES_MAX)
        mistake(&check, "more than %d nodes", ENTRIES_MAX);
    rows = compat_nodes(&status);
    if (!rows)
        return 1;
    check_members(&check, rows);
    digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, check.plain->str, check.plain->len);
    check_others(&check, rows, digest);
    g_hash_table_unref(check.ids);
    g_hash_table_unref(check.addresses);
    g_string_free(check.plain, TRUE);
    if (check.mistakes || (remember && remember_table(digest) != 0))
        return 1;
    puts("The table is well.");
    return 0;
}

static int switch_off(void)
{
    g_autoptr(Json) result = NULL;
    int status;

    result = client_call("node.stop", NULL, 30000, &status);
    return result ? 0 : 1;
}

static int write_table(const char *path)
{
    g_autoptr(Json) rows = NULL;
    int status;
    FILE *file;

    rows = compat_nodes(&status);
    if (!rows)
        return 1;
    if (g_str_equal(path, "-")) {
        print_table(rows, stdout);
        return 0;
    }
    file = fopen(path, "w");
    if (!file) {
        log_error("%s cannot be written: %s", path, g_strerror(errno));
        return 1;
    }
    print_table(rows, file);
    return fclose(file) == 0 ? 0 : 1;
}

static int read_table(const char *path, gboolean remember)
{
    FILE *file = g_str_equal(path, "-") ? stdin : fopen(path, "r");
    int status;

    if (!file) {
        log_error("%s cannot be read: %s", path, g_strerror(errno));
        return 1;
    }
    status = check_table(file, remember);
    if (file != stdin)
        fclose(file);
    return status;
}

int compat_setpe(int argc, char **argv)
{
    const char *path = "/etc/openmosix.map", *what = argc > 1 ? argv[1] : "";
    gboolean given = argc == 4 && g_str_equal(argv[2], "-f");

    if (g_str_equal(what, "-off") && argc == 2)
        return switch_off();
    if (argc != 2 && !given)
        return compat_usage("setpe");
    if (g_str_equal(what, "-r"))
        return write_table(given ? argv[3] : "-");
    if (g_str_equal(what, "-w") || g_str_equal(what, "-W") || g_str_equal(what, "-c"))
        return read_table(given ? argv[3] : path, !g_str_equal(what, "-c"));
    return compat_usage("setpe");
}
