/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-conf.c - any text as a configuration file: taken, or refused with a sentence */
#include "common/conf.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *words[] = {(char *)"sojournd", NULL}, **argv = words;
    int argc = 1;
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(Conf) conf = conf_new(&argc, &argv, &error);

    if (!conf) /* the file of this machine is wrong: nothing of the input's doing */
        return 0;
    if (conf_parse(conf, text, "input", &error) == (error != NULL))
        abort();
    return 0;
}
