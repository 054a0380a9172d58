/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor.h - what this node can do and, for each thing that it cannot, the remedy */
#pragma once

#include "node.h"

/* Array of {check,ok,text,remedy} (new reference). */
Json *doctor_examine(Node *node);
