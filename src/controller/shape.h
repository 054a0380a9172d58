/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shape.h - what makes two guests alike before a program runs in them: machine, image, memory, CPUs */
#pragma once

#include "node.h"

/* The shape of a job that asks for nothing, as a description on this node as it is now (new reference); NULL where no guest
 * can be started. */
Json *shape_usual(Node *node);

/* Whether two descriptions are of one shape. */
gboolean shape_same(Json *a, Json *b);
