/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-wire.c - any bytes: refused, or a message that encodes to the same bytes */
#include "common/wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    WireMessage message;
    size_t again_size;
    void *again;

    if (wire_decode(&message, data, size) < 0)
        return 0;
    again = wire_encode_new(&message, &again_size);
    if (!again || again_size != size || memcmp(again, data, size) != 0)
        abort();
    free(again);
    wire_clear(&message);
    return 0;
}
