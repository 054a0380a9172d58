/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web-measure.h - takes this node's figures for Prometheus */
#pragma once

#include "node.h"

/* Their text as of now (g_free); sessions and streams are the HTTP view's own. */
char *web_measure(Node *node, guint sessions, guint streams);
