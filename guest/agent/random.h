/* SPDX-License-Identifier: GPL-2.0-or-later */
/* random.h - the guest's randomness */
#pragma once

#include <stddef.h>

/* Makes what the kernel gives as random from now on depend on these bytes of home's, too, at most 64: what it has of its own
 * may be another guest's as well, if both began from one snapshot. */
void random_seed(const void *bytes, size_t size);
