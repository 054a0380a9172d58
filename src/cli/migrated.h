/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrated.h - a migration's figures in words */
#pragma once

#include "common/json.h"

/* "node1 to node2 in 512 ms, standing still for 8 ms, 20 MiB sent" (g_free). */
char *migrated_line(Json *migration);

/* "take 300 ms and to stand still for 8 ms" (g_free), of what a controller expects; NULL: it expects nothing. */
char *migrated_expected(Json *expected);
