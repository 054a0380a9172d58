/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-gate.c - the gates against hand-made clients and a made-up libvirtd */
#include "hypervisor/gate.h"
#include "hypervisor/gate-cookie.h"
#include "hypervisor/gate-source.h"
#include "hypervisor/libvirt-rpc.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define UUID "0c7b4a5e-8f0e-4ad1-9c0e-52e5a7f0b8d1"
#define NAME "sojourn-" UUID
#define OWN_XML "<domain>ours</domain>"
#define PEER_URI "unix:///run/source/st"
#define HEAD                                                               \
    "<qemu-migration>\n  <name>" NAME "</name>\n  <uuid>" UUID "</uuid>\n" \
    "  <hostname>far-away</hostname>\n  "                                  \
    "<hostuuid>11111111-2222-3333-4444-555555555555</hostuuid>\n"
#define COOKIE                                                                         \
    HEAD "  <feature name='lockstate'/>\n  <lockstate driver='nop'>\n  </lockstate>\n" \
         "  <cpu mode='custom' match='exact'><model fallback='forbid'>Nehalem</model>" \
         "<feature policy='require' name='vme'/></cpu>\n"                              \
         "  <capabilities>\n    <cap name='xbzrle' auto='no'/>\n"                      \
         "    <cap name='pause-before-switchover' auto='yes'/>\n  "                    \
         "</capabilities>\n</qemu-migration>\n"
#define LAST_COOKIE                                                           \
    HEAD "  <statistics>\n    <started>12</started>\n    <sent>-3</sent>\n  " \
         "</statistics>\n</qemu-migration>"

/* A gate, the peer's end of its connection, and the end that its libvirtd would have. */
typedef struct {
    Gate *gate;
    GateSource *source;
    int peer, libvirtd;
    guint prepared, finished, ended, unsure;
    gboolean present, violation, hold;
    char *reason;
} Rig;

static void on_prepared(Gate *gate, gpointer user)
{
    ((Rig *)user)->prepared++;
}

static void on_finished(Gate *gate, gboolean present, gpointer user)
{
    Rig *rig = user;

    rig->finished++;
    rig->present = present;
}

static void on_ended(Gate *gate, const char *reason, gboolean violation, gpointer user)
{
    Rig *rig = user;

    rig->ended++;
    rig->violation = violation;
    rig->reason = g_strdup(reason);
    g_clear_pointer(&rig->gate, gate_free);
}

static const GateEvents events = { on_prepared, on_finished, on_ended };

static void pair(int *ret_ours, int *ret_theirs)
{
    int fds[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    *ret_ours = fds[0];
    *ret_theirs = fds[1];
}

static void rig_open(Rig *rig)
{
    GateConfig config = { NULL, NAME, UUID, OWN_XML, "/run/own/in", 0, 0 };
    int peer, libvirtd;

    memset(rig, 0, sizeof(*rig));
    pair(&rig->peer, &peer);
    pair(&rig->libvirtd, &libvirtd);
    rig->gate = gate_new_connected(peer, libvirtd, &config, &events, rig);
}

static void rig_close(Rig *rig)
{
    gate_free(rig->gate);
    gate_source_free(rig->source);
    if (rig->peer >= 0)
        close(rig->peer);
    if (rig->libvirtd >= 0)
        close(rig->libvirtd);
    g_free(rig->reason);
}

static void settle(void)
{
    for (int i = 0; i < 50; i++)
        while (g_main_context_iteration(NULL, FALSE))
            ;
}

static void send_packet(int fd, const LvHeader *header, const GByteArray *body)
{
    g_autoptr(GByteArray) packet = lv_packet(header, body);

    g_assert_cmpint(send(fd, packet->data, packet->len, MSG_NOSIGNAL), ==, packet->len);
}

static void call(int fd, guint32 procedure, GByteArray *body)
{
    static guint32 serial = 100;
    LvHeader header = { LV_PROGRAM, LV_VERSION, procedure, LV_CALL, serial++, LV_OK };

    send_packet(fd, &header, body);
    g_clear_pointer(&body, g_byte_array_unref);
    settle();
}

/* The next packet that came; its body (g_byte_array_unref), or NULL when there is none. */
static GByteArray *receive(int fd, LvHeader *ret_header)
{
    guint8 start[LV_HEADER_SIZE], *bytes;
    GByteArray *body;
    XdrReader reader = { start, sizeof(start), 0, FALSE };
    gsize size;

    settle();
    if (recv(fd, start, sizeof(start), MSG_DONTWAIT) != sizeof(start))
        return NULL;
    size = xdr_get_u32(&reader) - LV_HEADER_SIZE;
    ret_header->program = xdr_get_u32(&reader);
    ret_header->version = xdr_get_u32(&reader);
    ret_header->procedure = xdr_get_u32(&reader);
    ret_header->type = xdr_get_u32(&reader);
    ret_header->serial = xdr_get_u32(&reader);
    ret_header->status = xdr_get_u32(&reader);
    bytes = g_malloc(size + 1);
    g_assert_cmpint(size ? recv(fd, bytes, size, MSG_DONTWAIT) : 0, ==, size);
    body = g_byte_array_new();
    g_byte_array_append(body, bytes, size);
    g_free(bytes);
    return body;
}

/* The next packet is of this procedure and status. */
static GByteArray *expect(int fd, guint32 procedure, guint32 type, guint32 status,
                          LvHeader *ret_header)
{
    LvHeader header;
    GByteArray *body = receive(fd, &header);

    g_assert_nonnull(body);
    g_assert_cmpuint(header.procedure, ==, procedure);
    g_assert_cmpuint(header.type, ==, type);
    g_assert_cmpuint(header.status, ==, status);
    if (ret_header)
        *ret_header = header;
    return body;
}

static void drop(GByteArray *body)
{
    g_byte_array_unref(body);
}

static GByteArray *words(guint count, guint32 first, guint32 second)
{
    GByteArray *body = g_byte_array_new();

    if (count > 0)
        xdr_put_u32(body, first);
    if (count > 1)
        xdr_put_u32(body, second);
    return body;
}

static GByteArray *open_args(const char *name)
{
    GByteArray *body = g_byte_array_new();

    xdr_put_optional_string(body, name);
    xdr_put_u32(body, 6);
    return body;
}

/* Arguments of PREPARE3 or FINISH3; the pairs of field and string end with NULL. */
static GByteArray *migrate_args(gboolean finish, const char *cookie, guint32 flags,
                                guint32 cancelled, ...)
{
    LvMigrateArgs args;
    GByteArray *body;
    va_list list;
    const char *field;

    lv_migrate_args_init(&args);
    va_start(list, cancelled);
    while ((field = va_arg(list, const char *)))
        lv_migrate_args_add(&args, field, va_arg(list, const char *));
    va_end(list);
    g_bytes_unref(args.cookie);
    args.cookie = cookie ? g_bytes_new(cookie, strlen(cookie) + 1) : g_bytes_new(NULL, 0);
    args.flags = flags;
    args.cancelled = cancelled;
    body = lv_migrate_args_encode(&args, finish);
    lv_migrate_args_clear(&args);
    return body;
}

static GByteArray *prepare_args(void)
{
    return migrate_args(FALSE, COOKIE, 33, 0, "migrate_uri", PEER_URI, "destination_xml", "<evil/>",
                        NULL);
}

static GByteArray *finish_args(guint32 cancelled)
{
    return migrate_args(TRUE, LAST_COOKIE, 33, cancelled, "migrate_uri", PEER_URI,
                        "destination_xml", "<evil/>", "destination_name", NAME, NULL);
}

static GByteArray *answer_body(gboolean finish, const char *uri, const char *name,
                               const char *cookie)
{
    LvMigrateAnswer answer = { .name = (char *)name, .uri = (char *)uri, .id = 5 };
    GByteArray *body;

    answer.cookie = g_bytes_new(cookie, strlen(cookie) + 1);
    body = lv_migrate_answer_encode(&answer, finish);
    g_bytes_unref(answer.cookie);
    return body;
}

static void libvirtd_says(Rig *rig, const LvHeader *header, guint32 status, GByteArray *body)
{
    LvHeader reply = lv_reply_to(header, status);

    send_packet(rig->libvirtd, &reply, body);
    g_byte_array_unref(body);
    settle();
}

/* Steps of the genuine conversation, in order */

static void step_open(Rig *rig)
{
    LvHeader header;

    call(rig->peer, LV_AUTH_LIST, NULL);
    drop(expect(rig->peer, LV_AUTH_LIST, LV_REPLY, LV_OK, NULL));
    call(rig->peer, LV_SUPPORTS_FEATURE, words(1, 10, 0));
    drop(expect(rig->peer, LV_SUPPORTS_FEATURE, LV_REPLY, LV_OK, NULL));
    call(rig->peer, LV_CONNECT_OPEN, open_args("qemu:///session"));
    drop(expect(rig->peer, LV_CONNECT_OPEN, LV_REPLY, LV_OK, NULL));
    drop(expect(rig->libvirtd, LV_CONNECT_OPEN, LV_CALL, LV_OK, &header));
    libvirtd_says(rig, &header, LV_OK, words(0, 0, 0));
}

static void step_prepare(Rig *rig)
{
    LvHeader header;

    call(rig->peer, LV_PREPARE3_PARAMS, prepare_args());
    drop(expect(rig->libvirtd, LV_PREPARE3_PARAMS, LV_CALL, LV_OK, &header));
    g_assert_cmpuint(rig->prepared, ==, 0);
    libvirtd_says(rig, &header, LV_OK, answer_body(FALSE, NULL, NULL, COOKIE));
    g_assert_cmpuint(rig->prepared, ==, 1);
    drop(expect(rig->peer, LV_PREPARE3_PARAMS, LV_REPLY, LV_OK, NULL));
}

static void step_finish(Rig *rig)
{
    LvHeader header;

    call(rig->peer, LV_FINISH3_PARAMS, finish_args(0));
    drop(expect(rig->libvirtd, LV_FINISH3_PARAMS, LV_CALL, LV_OK, &header));
    libvirtd_says(rig, &header, LV_OK, answer_body(TRUE, NULL, NAME, LAST_COOKIE));
    g_assert_cmpuint(rig->finished, ==, 1);
    g_assert_true(rig->present);
}

static void assert_refused(Rig *rig)
{
    char byte;

    settle();
    g_assert_cmpuint(rig->ended, ==, 1);
    g_assert_true(rig->violation);
    g_assert_nonnull(rig->reason);
    g_test_message("%s", rig->reason);
    while (recv(rig->peer, &byte, 1, MSG_DONTWAIT) == 1)
        ;
    g_assert_cmpint(recv(rig->peer, &byte, 1, MSG_DONTWAIT), ==, 0);
    rig_close(rig);
}

/* Nothing but CONNECT_OPEN has reached libvirtd, and then the connection closed. */
static void assert_libvirtd_untouched(Rig *rig)
{
    LvHeader header;
    GByteArray *body;

    while ((body = receive(rig->libvirtd, &header))) {
        g_assert_cmpuint(header.procedure, ==, LV_CONNECT_OPEN);
        drop(body);
    }
}

/* The genuine conversation */

static void test_commit(void)
{
    Rig rig;
    LvHeader header;
    g_autoptr(GByteArray) prepared = NULL, said = NULL, last = NULL;
    LvMigrateArgs args;
    LvMigrateAnswer answer;
    char byte;

    rig_open(&rig);
    step_open(&rig);
    call(rig.peer, LV_PREPARE3_PARAMS, prepare_args());
    prepared = expect(rig.libvirtd, LV_PREPARE3_PARAMS, LV_CALL, LV_OK, &header);
    g_assert_true(lv_migrate_args_decode(prepared->data, prepared->len, FALSE, &args));
    g_assert_cmpuint(args.params->len, ==, 2);
    g_assert_cmpstr(((LvParam *)args.params->pdata[0])->string, ==, "unix:///run/own/in");
    g_assert_cmpstr(((LvParam *)args.params->pdata[1])->string, ==, OWN_XML);
    g_assert_cmpuint(args.flags, ==, 33);
    g_assert_null(strstr(g_bytes_get_data(args.cookie, NULL), "Nehalem"));
    lv_migrate_args_clear(&args);

    libvirtd_says(&rig, &header, LV_OK, answer_body(FALSE, "tcp:elsewhere:1", NULL, COOKIE));
    said = expect(rig.peer, LV_PREPARE3_PARAMS, LV_REPLY, LV_OK, NULL);
    g_assert_true(lv_migrate_answer_decode(said->data, said->len, FALSE, &answer));
    g_assert_cmpstr(answer.uri, ==, PEER_URI);
    lv_migrate_answer_clear(&answer);

    step_finish(&rig);
    settle();
    g_assert_cmpint(recv(rig.peer, &byte, 1, MSG_DONTWAIT), ==, -1);  /* not before the decision */
    gate_commit(rig.gate);
    last = expect(rig.peer, LV_FINISH3_PARAMS, LV_REPLY, LV_OK, NULL);
    g_assert_true(lv_migrate_answer_decode(last->data, last->len, TRUE, &answer));
    g_assert_cmpstr(answer.name, ==, NAME);
    lv_migrate_answer_clear(&answer);
    call(rig.peer, LV_CONNECT_CLOSE, NULL);
    settle();
    g_assert_cmpuint(rig.ended, ==, 1);
    g_assert_null(rig.reason);
    g_assert_false(rig.violation);
    rig_close(&rig);
}

static void test_refuse(void)
{
    Rig rig;
    g_autoptr(GByteArray) body = NULL;
    g_autofree char *text = NULL;
    guint32 code;

    rig_open(&rig);
    step_open(&rig);
    step_prepare(&rig);
    step_finish(&rig);
    gate_refuse(rig.gate, "not yours");
    body = expect(rig.peer, LV_FINISH3_PARAMS, LV_REPLY, LV_ERROR, NULL);
    g_assert_true(lv_error_decode(body->data, body->len, &code, &text));
    g_assert_cmpstr(text, ==, "not yours");
    g_assert_cmpuint(code, ==, LV_CODE_OPERATION_FAILED);
    rig_close(&rig);
}

/* The peer leaves while it is being decided: the gate stays until it is. */
static void test_leaves_while_deciding(void)
{
    Rig rig;

    for (int i = 0; i < 2; i++) {
        rig_open(&rig);
        step_open(&rig);
        step_prepare(&rig);
        step_finish(&rig);
        if (i == 0) {
            close(rig.peer);
            rig.peer = -1;
        } else {
            call(rig.peer, 10, NULL);
        }
        settle();
        g_assert_cmpuint(rig.ended, ==, 0);
        gate_commit(rig.gate);
        settle();
        g_assert_cmpuint(rig.ended, ==, 1);
        g_assert_cmpint(rig.violation, ==, i == 1);
        rig_close(&rig);
    }
}

/* It leaves before: our libvirtd's connection ends, so that it destroys what has come. */
static void test_leaves_before(void)
{
    Rig rig;
    char byte;

    rig_open(&rig);
    step_open(&rig);
    step_prepare(&rig);
    close(rig.peer);
    rig.peer = -1;
    settle();
    g_assert_cmpuint(rig.ended, ==, 1);
    g_assert_false(rig.violation);
    g_assert_cmpuint(rig.finished, ==, 0);
    g_assert_cmpint(recv(rig.libvirtd, &byte, 1, MSG_DONTWAIT), ==, 0);
    rig_close(&rig);
}

static void test_cancelled(void)
{
    Rig rig;
    LvHeader header;

    rig_open(&rig);
    step_open(&rig);
    step_prepare(&rig);
    call(rig.peer, LV_FINISH3_PARAMS,
         migrate_args(TRUE, NULL, 33, 1, "destination_name", NAME, NULL));
    drop(expect(rig.libvirtd, LV_FINISH3_PARAMS, LV_CALL, LV_OK, &header));
    libvirtd_says(&rig, &header, LV_ERROR, lv_error_encode(LV_CODE_FINISH_OK, NULL));
    g_assert_cmpuint(rig.finished, ==, 1);
    g_assert_false(rig.present);
    drop(expect(rig.peer, LV_FINISH3_PARAMS, LV_REPLY, LV_ERROR, NULL));
    close(rig.peer);
    rig.peer = -1;
    settle();
    g_assert_cmpstr(rig.reason, ==, "the source cancelled the migration");
    rig_close(&rig);
}

static void test_own_libvirtd(void)
{
    Rig rig;
    LvHeader header;

    rig_open(&rig);  /* it refuses PREPARE3 */
    step_open(&rig);
    call(rig.peer, LV_PREPARE3_PARAMS, prepare_args());
    drop(expect(rig.libvirtd, LV_PREPARE3_PARAMS, LV_CALL, LV_OK, &header));
    libvirtd_says(&rig, &header, LV_ERROR, lv_error_encode(1, "no memory"));
    drop(expect(rig.peer, LV_PREPARE3_PARAMS, LV_REPLY, LV_ERROR, NULL));
    g_assert_cmpuint(rig.prepared, ==, 0);
    call(rig.peer, LV_CONNECT_CLOSE, NULL);
    settle();
    g_assert_cmpstr(rig.reason, ==, "no memory");
    g_assert_false(rig.violation);
    rig_close(&rig);

    rig_open(&rig);  /* it goes away */
    step_open(&rig);
    close(rig.libvirtd);
    rig.libvirtd = -1;
    settle();
    g_assert_cmpuint(rig.ended, ==, 1);
    g_assert_false(rig.violation);
    rig_close(&rig);
}

static void test_unreachable_libvirtd(void)
{
    GateConfig config = { "/nonexistent/socket", NAME, UUID, OWN_XML, "/run/own/in", 0, 0 };
    Rig rig = { .libvirtd = -1 };
    int peer;

    pair(&rig.peer, &peer);
    rig.gate = gate_new(peer, &config, &events, &rig);
    g_assert_cmpuint(rig.ended, ==, 0);
    settle();
    g_assert_cmpuint(rig.ended, ==, 1);
    g_assert_nonnull(strstr(rig.reason, "No such file"));
    rig_close(&rig);
}

static void test_silence(void)
{
    GateConfig config = { NULL, NAME, UUID, OWN_XML, "/run/own/in", 1, 0 };
    Rig rig = { 0 };
    int peer, libvirtd;

    pair(&rig.peer, &peer);
    pair(&rig.libvirtd, &libvirtd);
    rig.gate = gate_new_connected(peer, libvirtd, &config, &events, &rig);
    for (int i = 0; i < 300 && !rig.ended; i++) {
        g_usleep(10000);
        settle();
    }
    g_assert_cmpuint(rig.ended, ==, 1);
    g_assert_false(rig.violation);
    rig_close(&rig);
}

static void test_keepalive(void)
{
    static const LvHeader ping = { LV_KEEPALIVE, LV_VERSION, LV_PING, LV_MESSAGE, 7, LV_OK };
    Rig rig;
    LvHeader header;

    rig_open(&rig);
    step_open(&rig);
    step_prepare(&rig);
    send_packet(rig.peer, &ping, NULL);
    drop(expect(rig.peer, LV_PONG, LV_MESSAGE, LV_OK, &header));
    g_assert_cmpuint(header.program, ==, LV_KEEPALIVE);
    step_finish(&rig);
    send_packet(rig.peer, &ping, NULL);
    drop(expect(rig.peer, LV_PONG, LV_MESSAGE, LV_OK, NULL));
    rig_close(&rig);
}

/* All that is not admitted */

static void test_other_procedures(void)
{
    static const guint32 procedures[] = { 3, 7, 10, 342, 59, 302, 304, 305, 307, 0, 0xffffffff };
    Rig rig;

    for (guint i = 0; i < G_N_ELEMENTS(procedures); i++) {
        rig_open(&rig);
        step_open(&rig);
        call(rig.peer, procedures[i], words(2, 0, 0));
        settle();
        assert_libvirtd_untouched(&rig);
        assert_refused(&rig);
    }
}

static void test_order(void)
{
    Rig rig;

    rig_open(&rig);  /* PREPARE3 first of all */
    call(rig.peer, LV_PREPARE3_PARAMS, words(0, 0, 0));
    assert_libvirtd_untouched(&rig);
    assert_refused(&rig);

    rig_open(&rig);  /* FINISH3 before PREPARE3 */
    step_open(&rig);
    call(rig.peer, LV_FINISH3_PARAMS, finish_args(0));
    assert_libvirtd_untouched(&rig);
    assert_refused(&rig);

    rig_open(&rig);  /* AUTH_LIST twice */
    call(rig.peer, LV_AUTH_LIST, NULL);
    call(rig.peer, LV_AUTH_LIST, NULL);
    assert_refused(&rig);

    rig_open(&rig);  /* a second PREPARE3, answered or not */
    step_open(&rig);
    step_prepare(&rig);
    call(rig.peer, LV_PREPARE3_PARAMS, prepare_args());
    assert_refused(&rig);

    rig_open(&rig);
    step_open(&rig);
    call(rig.peer, LV_PREPARE3_PARAMS, prepare_args());
    call(rig.peer, LV_PREPARE3_PARAMS, prepare_args());
    assert_refused(&rig);

    rig_open(&rig);  /* questions without end */
    step_open(&rig);
    for (int i = 0; i < 16; i++)
        call(rig.peer, LV_SUPPORTS_FEATURE, words(1, 6, 0));
    assert_refused(&rig);
}

static void refuse_prepare(GByteArray *args)
{
    Rig rig;

    rig_open(&rig);
    step_open(&rig);
    call(rig.peer, LV_PREPARE3_PARAMS, args);
    assert_libvirtd_untouched(&rig);
    assert_refused(&rig);
}

static void test_prepare(void)
{
    refuse_prepare(migrate_args(FALSE, COOKIE, 33 | 2, 0, "migrate_uri", PEER_URI, NULL));
    refuse_prepare(migrate_args(FALSE, COOKIE, 1, 0, "migrate_uri", PEER_URI, NULL));
    refuse_prepare(migrate_args(FALSE, COOKIE, 33, 0, "destination_xml", "<x/>", NULL));
    refuse_prepare(migrate_args(FALSE, COOKIE, 33, 0, "migrate_uri", "tcp://x", NULL));
    refuse_prepare(
        migrate_args(FALSE, COOKIE, 33, 0, "migrate_uri", PEER_URI, "migrate_uri", PEER_URI, NULL));
    refuse_prepare(migrate_args(FALSE, COOKIE, 33, 0, "migrate_uri", PEER_URI, "disks_uri",
                                "unix:///x", NULL));
    refuse_prepare(migrate_args(FALSE, COOKIE, 33, 0, "migrate_uri", PEER_URI, "listen_address",
                                "0.0.0.0", NULL));
    refuse_prepare(migrate_args(FALSE, COOKIE, 33, 0, "migrate_uri", PEER_URI, "persistent_xml",
                                "<x/>", NULL));
    refuse_prepare(migrate_args(FALSE, COOKIE, 33, 0, "migrate_uri", PEER_URI, "destination_name",
                                "other", NULL));
    refuse_prepare(migrate_args(FALSE, NULL, 33, 0, "migrate_uri", PEER_URI, NULL));
    refuse_prepare(migrate_args(FALSE, HEAD "<nbd port='1'/></qemu-migration>", 33, 0,
                                "migrate_uri", PEER_URI, NULL));
    refuse_prepare(words(1, 0xffffffff, 0));
    refuse_prepare(words(0, 0, 0));
}

static void test_finish(void)
{
    struct {
        GByteArray *args;
    } rows[] = {
        { migrate_args(TRUE, LAST_COOKIE, 1, 0, "destination_name", NAME, NULL) },
        { migrate_args(TRUE, LAST_COOKIE, 33, 2, "destination_name", NAME, NULL) },
        { migrate_args(TRUE, LAST_COOKIE, 33, 0, "destination_name", "sojourn-other", NULL) },
        { migrate_args(TRUE, LAST_COOKIE, 33, 0, "destination_name", NAME, "migrate_uri",
                       "unix:///other", NULL) },
        { migrate_args(TRUE, HEAD "<domain/></qemu-migration>", 33, 0, "destination_name", NAME,
                       NULL) },
    };
    Rig rig;

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        rig_open(&rig);
        step_open(&rig);
        step_prepare(&rig);
        call(rig.peer, LV_FINISH3_PARAMS, rows[i].args);
        g_assert_cmpuint(rig.finished, ==, 0);
        assert_libvirtd_untouched(&rig);
        assert_refused(&rig);
    }
}

static void refuse_bytes(const guint8 *bytes, gsize size)
{
    Rig rig;

    rig_open(&rig);
    g_assert_cmpint(send(rig.peer, bytes, size, MSG_NOSIGNAL), ==, size);
    assert_refused(&rig);
}

static void test_framing(void)
{
    static const LvHeader good = { LV_PROGRAM, LV_VERSION, LV_AUTH_LIST, LV_CALL, 1, LV_OK };
    LvHeader bad[] = { good, good, good, good, good };
    static const guint8 lengths[][4] = {
        { 0, 0, 0, 0 }, { 0, 0, 0, 27 }, { 0xff, 0xff, 0xff, 0xff }, { 0, 0, 0x20, 0 }
    };
    g_autoptr(GByteArray) packet = lv_packet(&good, NULL);
    Rig rig;

    for (guint i = 0; i < G_N_ELEMENTS(lengths); i++)
        refuse_bytes(lengths[i], 4);
    bad[0].program++;
    bad[1].version++;
    bad[2].type = LV_REPLY;
    bad[3].status = LV_ERROR;
    bad[4].type = 4;  /* a call with descriptors */
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GByteArray) broken = lv_packet(&bad[i], NULL);

        refuse_bytes(broken->data, broken->len);
    }

    rig_open(&rig);  /* byte by byte, and an end within a packet */
    for (guint i = 0; i < packet->len; i++) {
        g_assert_cmpint(send(rig.peer, packet->data + i, 1, MSG_NOSIGNAL), ==, 1);
        settle();
    }
    drop(expect(rig.peer, LV_AUTH_LIST, LV_REPLY, LV_OK, NULL));
    g_assert_cmpint(send(rig.peer, packet->data, 20, MSG_NOSIGNAL), ==, 20);
    close(rig.peer);
    rig.peer = -1;
    settle();
    g_assert_cmpuint(rig.ended, ==, 1);
    rig_close(&rig);
}

/* Bytes as libvirt 9.0 sends them, and what must be made of them. */
static void test_golden(void)
{
    static const guint8 auth_list[] = { 0, 0,  0, 28, 0x20, 0, 0x80, 0x86, 0, 0, 0, 1, 0, 0,
                                        0, 66, 0, 0,  0,    0, 0,    0,    0, 0, 0, 0, 0, 0 };
    static const guint8 answer[] = { 0, 0, 0, 36, 0x20, 0, 0x80, 0x86, 0, 0, 0, 1,
                                     0, 0, 0, 66, 0,    0, 0,    1,    0, 0, 0, 0,
                                     0, 0, 0, 0,  0,    0, 0,    1,    0, 0, 0, 0 };
    static const guint8 param[] = { 0,   0,   0, 1, 0, 0, 0,   9, 'b', 'a', 'n', 'd', 'w', 'i', 'd',
                                    't', 'h', 0, 0, 0, 0, 0,   0, 4,   0,   0,   0,   0,   0,   0,
                                    0,   5,   0, 0, 0, 2, 'c', 0, 0,   0,   0,   0,   0,   33 };
    guint8 bytes[sizeof(answer)];
    LvMigrateArgs args;
    g_autoptr(GByteArray) again = NULL;
    Rig rig;

    rig_open(&rig);
    g_assert_cmpint(send(rig.peer, auth_list, sizeof(auth_list), 0), ==, sizeof(auth_list));
    settle();
    g_assert_cmpint(recv(rig.peer, bytes, sizeof(bytes), MSG_DONTWAIT), ==, sizeof(bytes));
    g_assert_cmpmem(bytes, sizeof(bytes), answer, sizeof(answer));
    rig_close(&rig);

    g_assert_true(lv_migrate_args_decode(param, sizeof(param), FALSE, &args));
    g_assert_cmpuint(args.flags, ==, 33);
    g_assert_cmpuint(((LvParam *)args.params->pdata[0])->number, ==, 5);
    again = lv_migrate_args_encode(&args, FALSE);
    g_assert_cmpmem(again->data, again->len, param, sizeof(param));
    lv_migrate_args_clear(&args);
    for (gsize size = 0; size < sizeof(param); size++)
        g_assert_false(lv_migrate_args_decode(param, size, FALSE, &args));
}

/* Cookies */

static char *rewrite(const char *cookie)
{
    g_autoptr(GBytes) in = g_bytes_new(cookie, strlen(cookie) + 1);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) out = gate_cookie_rewrite(in, NAME, UUID, &error);

    if (error)
        g_test_message("%s", error->message);
    return out ? g_strdup(g_bytes_get_data(out, NULL)) : NULL;
}

static void test_cookie(void)
{
    static const char *const bad[] = {
        "",
        "x",
        "<qemu-migration/>",
        "<other/>",
        HEAD,
        HEAD "</qemu-migration><x/>",
        HEAD "<nbd/></qemu-migration>",
        HEAD "<domain/></qemu-migration>",
        HEAD "<network/></qemu-migration>",
        HEAD "<graphics/></qemu-migration>",
        HEAD "<blockDirtyBitmaps/></qemu-migration>",
        HEAD "<feature name='persistent'/></qemu-migration>",
        HEAD "<name>" NAME "</name></qemu-migration>",
        HEAD "<capabilities><cap name='x y'/></capabilities></qemu-migration>",
        HEAD "<capabilities><other/></capabilities></qemu-migration>",
        HEAD "<capabilities/><capabilities/></qemu-migration>",
        HEAD "<statistics><sent>1<x/></sent></statistics></qemu-migration>",
        HEAD "<statistics><sent>1x</sent></statistics></qemu-migration>",
        HEAD "<statistics><sent>999999999999999999999</sent></statistics></qemu-migration>",
        HEAD "<!DOCTYPE a></qemu-migration>",
        HEAD "<?pi?></qemu-migration>",
        HEAD "<!-- --></qemu-migration>",
        "<qemu-migration><name>other</name><uuid>" UUID "</uuid><hostname>h</hostname>"
        "<hostuuid>11111111-2222-3333-4444-555555555555</hostuuid></qemu-migration>",
        "<qemu-migration><name>" NAME
        "</name><uuid>0c7b4a5e-8f0e-4ad1-9c0e-52e5a7f0b8d2</uuid><hostname>h</hostname>"
        "<hostuuid>11111111-2222-3333-4444-555555555555</hostuuid></qemu-migration>",
        "<qemu-migration><name>" NAME "</name><uuid>" UUID "</uuid><hostname>a b</hostname>"
        "<hostuuid>11111111-2222-3333-4444-555555555555</hostuuid></qemu-migration>",
    };
    g_autofree char *first = rewrite(COOKIE), *last = rewrite(LAST_COOKIE), *again = NULL;
    g_autoptr(GBytes) unended = g_bytes_new(COOKIE, strlen(COOKIE)),
                      early = g_bytes_new(COOKIE "\0x", sizeof(COOKIE) + 2);

    g_assert_cmpstr(first, ==,
                    HEAD "  <capabilities>\n    <cap name='xbzrle' auto='no'/>\n"
                         "    <cap name='pause-before-switchover' auto='yes'/>\n  "
                         "</capabilities>\n</qemu-migration>\n");
    g_assert_cmpstr(
        last, ==,
        HEAD "  <statistics>\n    <started>12</started>\n    <sent>-3</sent>\n  </statistics>\n"
             "</qemu-migration>\n");
    again = rewrite(first);
    g_assert_cmpstr(again, ==, first);
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_null(rewrite(bad[i]));
    g_assert_null(gate_cookie_rewrite(unended, NAME, UUID, NULL));
    g_assert_null(gate_cookie_rewrite(early, NAME, UUID, NULL));
}

/* The source's gate: rig.peer is our client's end, rig.libvirtd the destination's. */

static void on_unsure(GateSource *source, const char *text, gpointer user)
{
    Rig *rig = user;

    rig->unsure++;
    g_free(rig->reason);
    rig->reason = g_strdup(text);
}

static gboolean on_moved(GateSource *source, gpointer user)
{
    Rig *rig = user;

    rig->finished++;
    return rig->hold;
}

static void on_source_ended(GateSource *source, const char *reason, gboolean violation,
                            gpointer user)
{
    Rig *rig = user;

    rig->ended++;
    rig->violation = violation;
    g_free(rig->reason);
    rig->reason = g_strdup(reason);
    g_clear_pointer(&rig->source, gate_source_free);
}

static const GateSourceEvents source_events = {
    .unsure = on_unsure, .finished = on_moved, .ended = on_source_ended
};

static void source_open(Rig *rig)
{
    GateSourceConfig config = { NAME, UUID };
    int client, destination;

    memset(rig, 0, sizeof(*rig));
    pair(&rig->peer, &client);
    pair(&rig->libvirtd, &destination);
    rig->source = gate_source_new(client, destination, &config, &source_events, rig);
}

static void source_prepare(Rig *rig, const char *uri, const char *cookie, LvHeader *ret_header)
{
    source_open(rig);
    call(rig->peer, LV_PREPARE3_PARAMS, prepare_args());
    drop(expect(rig->libvirtd, LV_PREPARE3_PARAMS, LV_CALL, LV_OK, ret_header));
    libvirtd_says(rig, ret_header, LV_OK, answer_body(FALSE, uri, NULL, cookie));
}

static void source_finish(Rig *rig, LvHeader *ret_header)
{
    source_prepare(rig, PEER_URI, COOKIE, ret_header);
    drop(expect(rig->peer, LV_PREPARE3_PARAMS, LV_REPLY, LV_OK, NULL));
    call(rig->peer, LV_FINISH3_PARAMS, finish_args(0));
    drop(expect(rig->libvirtd, LV_FINISH3_PARAMS, LV_CALL, LV_OK, ret_header));
}

static void test_source_success(void)
{
    Rig rig;
    LvHeader header;

    source_finish(&rig, &header);
    libvirtd_says(&rig, &header, LV_OK, answer_body(TRUE, NULL, NAME, LAST_COOKIE));
    drop(expect(rig.peer, LV_FINISH3_PARAMS, LV_REPLY, LV_OK, NULL));
    g_assert_cmpuint(rig.unsure, ==, 0);
    g_assert_cmpuint(rig.finished, ==, 1);
    close(rig.libvirtd);
    rig.libvirtd = -1;
    settle();
    g_assert_cmpuint(rig.ended, ==, 1);
    g_assert_null(rig.reason);
    rig_close(&rig);
}

static void spoil_break(Rig *rig, const LvHeader *header)
{
    close(rig->libvirtd);
    rig->libvirtd = -1;
}

/* libvirt is not told before we say so, even if the destination leaves meanwhile. */
static void test_source_hold(void)
{
    for (int leaves = 0; leaves < 2; leaves++) {
        Rig rig;
        LvHeader header;

        source_finish(&rig, &header);
        rig.hold = TRUE;
        libvirtd_says(&rig, &header, LV_OK, answer_body(TRUE, NULL, NAME, LAST_COOKIE));
        settle();
        g_assert_cmpuint(rig.finished, ==, 1);
        if (leaves)
            spoil_break(&rig, &header);
        settle();
        g_assert_null(receive(rig.peer, &header));
        g_assert_cmpuint(rig.unsure + rig.ended, ==, 0);
        gate_source_go_on(rig.source);
        drop(expect(rig.peer, LV_FINISH3_PARAMS, LV_REPLY, LV_OK, NULL));
        call(rig.peer, LV_CONNECT_CLOSE, NULL);
        settle();
        close(rig.peer);
        rig.peer = -1;
        settle();
        g_assert_cmpuint(rig.ended, ==, 1);
        g_assert_cmpuint(rig.unsure, ==, 0);
        rig_close(&rig);
    }
}

static void check_unsure(gboolean ours, void (*spoil)(Rig *rig, const LvHeader *header))
{
    Rig rig;
    LvHeader header;
    GByteArray *body;

    source_finish(&rig, &header);
    spoil(&rig, &header);
    settle();
    g_assert_cmpuint(rig.unsure, ==, 1);
    g_assert_null(receive(rig.peer, &header));  /* libvirt is kept waiting */
    gate_source_settle(rig.source, ours);
    body = expect(rig.peer, LV_FINISH3_PARAMS, LV_REPLY, ours ? LV_ERROR : LV_OK, NULL);
    if (!ours) {
        LvMigrateAnswer answer;

        g_assert_true(lv_migrate_answer_decode(body->data, body->len, TRUE, &answer));
        g_assert_cmpstr(answer.name, ==, NAME);
        g_assert_cmpuint(answer.uuid[0], ==, 0x0c);
        g_assert_cmpuint(answer.uuid[15], ==, 0xd1);
        lv_migrate_answer_clear(&answer);
    }
    drop(body);
    call(rig.peer, LV_CONNECT_CLOSE, NULL);
    settle();
    g_assert_cmpuint(rig.ended, ==, 1);
    rig_close(&rig);
}

static void spoil_error(Rig *rig, const LvHeader *header)
{
    libvirtd_says(rig, header, LV_ERROR, lv_error_encode(9, "no"));
}

static void spoil_other_domain(Rig *rig, const LvHeader *header)
{
    libvirtd_says(rig, header, LV_OK, answer_body(TRUE, NULL, "other", LAST_COOKIE));
}

static void spoil_serial(Rig *rig, const LvHeader *header)
{
    LvHeader other = *header;

    other.serial++;
    libvirtd_says(rig, &other, LV_OK, answer_body(TRUE, NULL, NAME, LAST_COOKIE));
}

static void test_source_unsure(void)
{
    for (int ours = 0; ours < 2; ours++) {
        check_unsure(ours, spoil_break);
        check_unsure(ours, spoil_error);
        check_unsure(ours, spoil_other_domain);
        check_unsure(ours, spoil_serial);
    }
}

static void test_source_refuses(void)
{
    Rig rig;
    LvHeader header;

    source_prepare(&rig, "unix:///run/other", COOKIE, &header);
    assert_refused(&rig);
    source_prepare(&rig, NULL, COOKIE, &header);
    assert_refused(&rig);
    source_prepare(&rig, PEER_URI, HEAD "<nbd port='1'/></qemu-migration>", &header);
    assert_refused(&rig);
    source_open(&rig);  /* an answer to nothing */
    header = (LvHeader){ LV_PROGRAM, LV_VERSION, LV_AUTH_LIST, LV_CALL, 1, LV_OK };
    libvirtd_says(&rig, &header, LV_OK, words(0, 0, 0));
    assert_refused(&rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/gate/commit", test_commit);
    g_test_add_func("/gate/refuse", test_refuse);
    g_test_add_func("/gate/leaves-while-deciding", test_leaves_while_deciding);
    g_test_add_func("/gate/leaves-before", test_leaves_before);
    g_test_add_func("/gate/cancelled", test_cancelled);
    g_test_add_func("/gate/own-libvirtd", test_own_libvirtd);
    g_test_add_func("/gate/unreachable-libvirtd", test_unreachable_libvirtd);
    g_test_add_func("/gate/silence", test_silence);
    g_test_add_func("/gate/keepalive", test_keepalive);
    g_test_add_func("/gate/other-procedures", test_other_procedures);
    g_test_add_func("/gate/order", test_order);
    g_test_add_func("/gate/prepare", test_prepare);
    g_test_add_func("/gate/finish", test_finish);
    g_test_add_func("/gate/framing", test_framing);
    g_test_add_func("/gate/golden", test_golden);
    g_test_add_func("/gate/cookie", test_cookie);
    g_test_add_func("/gate-source/success", test_source_success);
    g_test_add_func("/gate-source/hold", test_source_hold);
    g_test_add_func("/gate-source/unsure", test_source_unsure);
    g_test_add_func("/gate-source/refuses", test_source_refuses);
    return g_test_run();
}
