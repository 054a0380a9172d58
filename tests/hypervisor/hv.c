/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hv.c - a node without a controller: takes sojournd's place under the supervisor, and does one thing to a guest */
#include "common/conf.h"
#include "common/log.h"
#include "hypervisor/libvirtd.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;

    log_init("hv");
    g_autoptr(Conf) conf = conf_new(&argc, &argv, &error);
    if (conf && argc > 1 && g_str_equal(argv[1], "--libvirtd"))
        libvirtd_exec(conf, &error);
    else if (conf)
        pause();
    log_error("%s", error->message);
    return 1;
}
