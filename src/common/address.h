/* SPDX-License-Identifier: GPL-2.0-or-later */
/* address.h - what is made of a node's address */
#pragma once

#include <glib.h>

/* openMosix's number of a node: the last two bytes of its IPv4 address, 1 to 65535; 0: it has none. */
guint address_number(const char *address);
