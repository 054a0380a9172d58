/* SPDX-License-Identifier: GPL-2.0-or-later */
/* home-network.h - home's network devices, addresses and default routes, which programs in the guest may ask for */
#pragma once

#include <glib.h>

/* As START has them: "eth0 2 192.0.2.1/24" for each address of a device that is up, but not the loopback's, which the guest
 * has; and behind them the default routes, "eth0 2 via 192.0.2.254", at most one of IPv4 and one of IPv6. g_strfreev. */
char **home_network(void);

/* Of the text of /proc/net/route (or, six, of ipv6_route) the default route of least metric, as above, or NULL. The number
 * is 0 where there is no such device. g_free. For home_network and tests. */
char *home_network_route(const char *table, gboolean six);
