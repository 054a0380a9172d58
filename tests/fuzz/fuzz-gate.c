/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-gate.c - what another node sends to either gate: the first byte says to which */
#include "hypervisor/gate-cookie.h"
#include "hypervisor/gate-source.h"
#include "hypervisor/gate.h"
#include "hypervisor/libvirt-rpc.h"

#include "common/log.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define UUID "0c7b4a5e-8f0e-4ad1-9c0e-52e5a7f0b8d1"
#define NAME "sojourn-" UUID
#define URI "unix:///run/source/st"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In place of common/log.c: what is refused is of no interest here. */
void log_warning(const char *format, ...)
{
}

typedef struct {
    Gate *gate;
    GateSource *source;
    LvConn *libvirtd;
    gboolean prepared, finished, ended;
} Fuzz;

static void on_prepared(Gate *gate, gpointer user)
{
    ((Fuzz *)user)->prepared = TRUE;
}

static void on_finished(Gate *gate, gboolean present, gpointer user)
{
    Fuzz *fuzz = user;

    if (!fuzz->prepared || fuzz->finished)
        abort();
    fuzz->finished = TRUE;
    if (present)
        gate_commit(gate);
}

static void on_ended(Gate *gate, const char *reason, gboolean violation, gpointer user)
{
    ((Fuzz *)user)->ended = TRUE;
}

static void on_unsure(GateSource *source, const char *text, gpointer user)
{
    gate_source_settle(source, strlen(text) % 2);
}

static void on_source_ended(GateSource *source, const char *reason, gboolean violation,
                            gpointer user)
{
    ((Fuzz *)user)->ended = TRUE;
}

static const GateEvents events = { on_prepared, on_finished, on_ended };
static const GateSourceEvents source_events = { .unsure = on_unsure, .ended = on_source_ended };

/* A libvirtd that agrees to everything, but knows what it may be asked. */
static void libvirtd_packet(LvConn *conn, const LvHeader *header, const guint8 *body, gsize size,
                            gpointer user)
{
    LvHeader reply = lv_reply_to(header, LV_OK);
    LvMigrateAnswer answer = { .name = g_strdup(NAME), .cookie = g_bytes_new(NULL, 0) };
    g_autoptr(GByteArray) out = NULL;
    LvMigrateArgs args;
    gboolean finish = header->procedure == LV_FINISH3_PARAMS;

    if (finish || header->procedure == LV_PREPARE3_PARAMS) {
        if (!lv_migrate_args_decode(body, size, finish, &args) || args.flags != 33)
            abort();
        if (args.cancelled) {
            reply.status = LV_ERROR;
            out = lv_error_encode(LV_CODE_FINISH_OK, NULL);
        } else {
            out = lv_migrate_answer_encode(&answer, finish);
        }
        lv_migrate_args_clear(&args);
    } else if (header->procedure != LV_CONNECT_OPEN) {
        abort();
    }
    lv_conn_send(conn, &reply, out);
    lv_migrate_answer_clear(&answer);
}

static void libvirtd_closed(LvConn *conn, const char *why, gboolean bad, gpointer user)
{
}

static const LvEvents libvirtd_events = { libvirtd_packet, libvirtd_closed };

static void run(void)
{
    for (int i = 0; i < 200 && g_main_context_iteration(NULL, FALSE); i++)
        ;
}

static void feed(int fd, const uint8_t *data, size_t size)
{
    char sink[4096];

    while (size > 0) {
        gssize sent = send(fd, data, MIN(size, 16384), MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent <= 0)
            break;
        data += sent;
        size -= sent;
        run();
        while (recv(fd, sink, sizeof(sink), MSG_DONTWAIT) > 0)
            ;
    }
}

static void fuzz_gate(const uint8_t *data, size_t size)
{
    GateConfig config = { NULL, NAME, UUID, "<domain/>", "/run/own/in", 0, 0 };
    Fuzz fuzz = { 0 };
    int peer[2], local[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, peer) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, local) < 0)
        abort();
    fuzz.gate = gate_new_connected(peer[1], local[1], &config, &events, &fuzz);
    fuzz.libvirtd = lv_conn_new(local[0], 4u << 20, &libvirtd_events, &fuzz);
    run();
    feed(peer[0], data, size);
    close(peer[0]);
    run();
    if (!fuzz.ended)
        abort();
    gate_free(fuzz.gate);
    lv_conn_free(fuzz.libvirtd);
}

/* FINISH3 has been passed on, or (one byte of data more) PREPARE3. */
static void fuzz_source(const uint8_t *data, size_t size)
{
    GateSourceConfig config = { NAME, UUID };
    LvHeader header = { LV_PROGRAM, LV_VERSION, LV_PREPARE3_PARAMS, LV_CALL, 7, LV_OK };
    g_autoptr(GByteArray) body = NULL, packet = NULL;
    Fuzz fuzz = { 0 };
    LvMigrateArgs args;
    gboolean finish;
    int client[2], peer[2];

    if (size == 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, client) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, peer) < 0)
        return;
    finish = data[0] & 1;
    fuzz.source = gate_source_new(client[1], peer[1], &config, &source_events, &fuzz);
    lv_migrate_args_init(&args);
    lv_migrate_args_add(&args, "migrate_uri", URI);
    body = lv_migrate_args_encode(&args, finish);
    lv_migrate_args_clear(&args);
    if (finish)
        header.procedure = LV_FINISH3_PARAMS;
    packet = lv_packet(&header, body);
    feed(client[0], packet->data, packet->len);
    feed(peer[0], data + 1, size - 1);
    close(peer[0]);
    run();
    close(client[0]);
    run();
    if (!fuzz.ended)
        abort();
    gate_source_free(fuzz.source);
}

/* What is written must be admitted again, unchanged. */
static void fuzz_cookie(const uint8_t *data, size_t size)
{
    g_autoptr(GBytes) in = g_bytes_new(data, size);
    g_autoptr(GBytes) out = gate_cookie_rewrite(in, NAME, UUID, NULL), again = NULL;

    if (!out)
        return;
    again = gate_cookie_rewrite(out, NAME, UUID, NULL);
    if (!again || !g_bytes_equal(out, again))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 3 == 0)
        fuzz_gate(data + 1, size - 1);
    else if (data[0] % 3 == 1)
        fuzz_source(data + 1, size - 1);
    else
        fuzz_cookie(data + 1, size - 1);
    return 0;
}
