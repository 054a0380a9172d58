/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-preamble.c - any first line of a connection, as a preamble and as the answer to one */
#include "cluster/tls.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) refused = NULL, no = NULL;
    g_autoptr(Json) preamble = tls_preamble_parse((const char *)data, size, &refused);

    if (preamble ? !json_get_string(preamble, "purpose", NULL) || size >= TLS_PREAMBLE_MAX
                 : !refused)
        abort();
    if (!tls_answer_check((const char *)data, size, "it", &no) && !no)
        abort();
    return 0;
}
