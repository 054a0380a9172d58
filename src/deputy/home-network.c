/* SPDX-License-Identifier: GPL-2.0-or-later */
/* home-network.c - home's network devices, addresses and default routes, which programs in the guest may ask for */
#include "home-network.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>

#define ENTRIES_MAX 64
#define LINE_MAX_BYTES 512

static void add_address(GPtrArray *addresses, const struct ifaddrs *it)
{
    gboolean six = it->ifa_addr->sa_family == AF_INET6;
    const void *address = six ? (const void *) &((struct sockaddr_in6 *) it->ifa_addr)->sin6_addr
                              : (const void *) &((struct sockaddr_in *) it->ifa_addr)->sin_addr;
    const guint8 *mask = six ? (guint8 *) &((struct sockaddr_in6 *) it->ifa_netmask)->sin6_addr
                             : (guint8 *) &((struct sockaddr_in *) it->ifa_netmask)->sin_addr;
    char text[INET6_ADDRSTRLEN];
    int bits = 0;

    while (bits < (six ? 128 : 32) && mask[bits / 8] & 0x80 >> bits % 8)
        bits++;
    inet_ntop(it->ifa_addr->sa_family, address, text, sizeof text);
    g_ptr_array_add(addresses, g_strdup_printf("%s %u %s/%d", it->ifa_name,
                                               if_nametoindex(it->ifa_name), text, bits));
}

/* The default route that a line of /proc/net/route tells of, with its metric. */
static gboolean route_of_line(const char *line, char device[IFNAMSIZ], char *gateway, guint *metric)
{
    guint destination, address, flags, mask;

    if (sscanf(line, "%15s %x %x %x %*u %*u %u %x", device, &destination, &address, &flags, metric, &mask) != 6)
        return FALSE;
    inet_ntop(AF_INET, &address, gateway, INET6_ADDRSTRLEN);
    return !destination && !mask && flags & RTF_UP && !(flags & RTF_REJECT);
}

/* The same of /proc/net/ipv6_route. */
static gboolean route_of_line6(const char *line, char device[IFNAMSIZ], char *gateway, guint *metric)
{
    static const char nothing[] = "00000000000000000000000000000000";
    char destination[33], next[33];
    guint8 address[16];
    guint length, flags;

    if (sscanf(line, "%32s %x %*s %*x %32s %x %*x %*x %x %15s", destination, &length, next, metric, &flags, device) != 6 ||
        strlen(next) != 32)
        return FALSE;
    for (guint i = 0; i < sizeof address; i++)
        address[i] = (guint8) (g_ascii_xdigit_value(next[2 * i]) << 4 | g_ascii_xdigit_value(next[2 * i + 1]));
    inet_ntop(AF_INET6, address, gateway, INET6_ADDRSTRLEN);
    return !length && !strcmp(destination, nothing) && flags & RTF_UP && !(flags & RTF_REJECT) && strcmp(device, "lo") != 0;
}

char *home_network_route(const char *table, gboolean six)
{
    g_auto(GStrv) lines = g_strsplit(table, "\n", -1);
    char *best = NULL;
    guint least = 0;

    for (guint i = 0; lines[i]; i++) {
        char device[IFNAMSIZ], gateway[INET6_ADDRSTRLEN];
        guint metric;

        if (!(six ? route_of_line6 : route_of_line)(lines[i], device, gateway, &metric) || (best && metric >= least))
            continue;
        g_free(best);
        best = g_strdup_printf("%s %u via %s", device, if_nametoindex(device), gateway);
        least = metric;
    }
    return best;
}

static void add_route(GPtrArray *entries, const char *file, gboolean six)
{
    g_autofree char *table = NULL;
    char *route = g_file_get_contents(file, &table, NULL, NULL) ? home_network_route(table, six) : NULL;

    if (route)
        g_ptr_array_add(entries, route);
}

char **home_network(void)
{
    GPtrArray *entries = g_ptr_array_new();
    struct ifaddrs *all = NULL;

    if (getifaddrs(&all) < 0)
        all = NULL;
    for (const struct ifaddrs *it = all; it && entries->len < ENTRIES_MAX; it = it->ifa_next)
        if (it->ifa_addr && it->ifa_netmask && it->ifa_flags & IFF_UP && !(it->ifa_flags & IFF_LOOPBACK) &&
            (it->ifa_addr->sa_family == AF_INET || it->ifa_addr->sa_family == AF_INET6))
            add_address(entries, it);
    if (all)
        freeifaddrs(all);
    add_route(entries, "/proc/net/route", FALSE);
    add_route(entries, "/proc/net/ipv6_route", TRUE);
    g_ptr_array_add(entries, NULL);
    return (char **) g_ptr_array_free(entries, FALSE);
}
