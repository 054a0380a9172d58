/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-rpc.c - any bytes on the control socket: refused, or a message; a connection survives or closes, nothing else */
#include "common/rpc.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void called(Rpc *rpc, RpcCall *call, const char *method, Json *params, int fd, gpointer user)
{
    if (fd >= 0)
        close(fd);
    if (!method || !json_is_object(params))
        abort();
    rpc_reply(call, json_copy(params));
}

static void closed(Rpc *rpc, gpointer user)
{
    *(gboolean *)user = TRUE;
}

/* The bytes as they come on a connection, then its end. */
static void converse(const uint8_t *data, size_t size)
{
    static const RpcEvents events = {called, closed};
    gboolean over = FALSE;
    int ends[2];
    Rpc *rpc;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        abort();
    rpc = rpc_new(ends[0], &events, &over);
    if (send(ends[1], data, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && size > 0)
        abort();
    shutdown(ends[1], SHUT_WR);
    while (!over)
        g_main_context_iteration(NULL, TRUE);
    close(ends[1]);
    rpc_unref(rpc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;

    if (size > 65536)
        return 0;
    if (rpc_check_line((const char *)data, size, &error) == (error != NULL))
        abort();
    converse(data, size);
    return 0;
}
