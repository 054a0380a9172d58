/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-vector.c - any JSON as news of a node's load: refused, or numbers that a decision can be made from */
#include "balance/vector.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const BalanceRules rules = BALANCE_RULES;
    const BalanceJob job = {.demand = 1, .bytes = 1 << 20, .age_s = 100, .here_s = 100, .movable = TRUE};
    g_autoptr(Json) json = json_parse((const char *)data, size, NULL);
    VectorEntry entry = {0};
    Vector vector;
    BalanceMove move;
    guint32 seed = 1;

    if (!json || !vector_entry_parse(json, 1000000, &entry))
        return 0;
    entry.id = 2;
    vector_init(&vector, 1);
    vector_take(&vector, &entry);
    if (!isfinite(balance_slowness(&entry.node, 1)) || balance_slowness(&entry.node, 1) <= 0 || vector.count != 1)
        abort();
    balance_decide(&rules, &entry.node, &job, 1, &vector.entries[0].node, 1, NULL, NULL, &seed, &move, 1);
    vector_age(&vector, 1000000);
    return 0;
}
