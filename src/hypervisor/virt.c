/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virt.c - plain libvirt, as far as sojourn needs it: blocking calls for worker threads, events for
 * the main loop
 *
 * libvirt-glib gives the event loop; its GVirConnection is not used: it does not tell when the
 * daemon goes away, keeps an object of every transient domain there ever was, and knows no
 * migration.
 */
#include "virt.h"

#include "common/error.h"
#include "common/log.h"

#include <libvirt-glib/libvirt-glib.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <signal.h>
#include <string.h>

/* Outlives the connection as long as libvirt may still call back. */
typedef struct {
    gint refs;
    const VirtEvents *events; /* NULL: nobody listens any more */
    gpointer user;
} Watch;

struct Virt {
    gint refs;
    virConnectPtr conn;
    Watch *watch;  /* NULL: none */
    int events[2]; /* libvirt's numbers; -1: none */
};

typedef virDomain Domain;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Domain, virDomainFree)

/* What went wrong is in our GError; libvirt need not print it too. */
static void be_silent(void *user, virErrorPtr error)
{
}

void virt_init(void)
{
    g_setenv("LIBVIRT_AUTOSTART", "0", TRUE);
    signal(SIGPIPE, SIG_IGN); /* libvirt's client writes to a daemon that may be dead */
    virSetErrorFunc(NULL, be_silent);
    gvir_event_register();
    virInitialize();
}

/* Turns libvirt's last error into ours; always FALSE. */
static gboolean fail(GError **error, const char *what)
{
    virErrorPtr last = virGetLastError();
    const char *text = last && last->message ? last->message : "no reason given";
    int code = SJ_ERROR_FAILED;

    if (last && (last->code == VIR_ERR_NO_DOMAIN || last->code == VIR_ERR_OPERATION_INVALID))
        code = SJ_ERROR_NOT_FOUND; /* the latter: it is there, but not running any more */
    else if (last && (last->domain == VIR_FROM_RPC || last->code == VIR_ERR_INVALID_CONN))
        code = SJ_ERROR_GONE;
    else if (last && last->code == VIR_ERR_OPERATION_TIMEOUT)
        code = SJ_ERROR_BUSY;
    g_set_error(error, SJ_ERROR, code, "%s: %s", what, text);
    return FALSE;
}

Virt *virt_open(const char *socket, GError **error)
{
    g_autofree char *escaped = g_uri_escape_string(socket, "/", FALSE);
    g_autofree char *uri = g_strdup_printf("qemu+unix:///session?socket=%s", escaped);
    virConnectPtr conn = virConnectOpen(uri);

    if (!conn) {
        fail(error, "cannot connect to libvirtd");
        if (error && *error)
            (*error)->code = SJ_ERROR_GONE;
        return NULL;
    }
    Virt *virt = g_new0(Virt, 1);
    virt->refs = 1;
    virt->conn = conn;
    virt->events[0] = virt->events[1] = -1;
    return virt;
}

Virt *virt_ref(Virt *virt)
{
    g_atomic_int_inc(&virt->refs);
    return virt;
}

static Watch *watch_ref(Watch *watch)
{
    g_atomic_int_inc(&watch->refs);
    return watch;
}

static void watch_unref(void *data)
{
    Watch *watch = data;

    if (g_atomic_int_dec_and_test(&watch->refs))
        g_free(watch);
}

static void on_closed(virConnectPtr conn, int reason, void *user);

static gpointer close_thread(gpointer data)
{
    Virt *virt = data;

    for (guint i = 0; i < G_N_ELEMENTS(virt->events); i++)
        if (virt->events[i] >= 0)
            virConnectDomainEventDeregisterAny(virt->conn, virt->events[i]);
    if (virt->watch) {
        virConnectUnregisterCloseCallback(virt->conn, on_closed);
        watch_unref(virt->watch);
    }
    virConnectClose(virt->conn);
    g_free(virt);
    return NULL;
}

void virt_unref(Virt *virt)
{
    if (virt && g_atomic_int_dec_and_test(&virt->refs))
        g_thread_unref(g_thread_new("libvirt-close", close_thread, virt));
}

/* Events: libvirt calls these on the main loop. */

static const char *domain_id(virDomainPtr domain)
{
    return guest_name_id(virDomainGetName(domain));
}

static const char *stop_reason(int detail)
{
    static const char *const names[] = {
        [VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN] = "shutdown",
        [VIR_DOMAIN_EVENT_STOPPED_DESTROYED] = "destroyed",
        [VIR_DOMAIN_EVENT_STOPPED_CRASHED] = "crashed",
        [VIR_DOMAIN_EVENT_STOPPED_MIGRATED] = "migrated",
        [VIR_DOMAIN_EVENT_STOPPED_SAVED] = "saved",
        [VIR_DOMAIN_EVENT_STOPPED_FAILED] = "failed",
    };

    return detail >= 0 && detail < (int)G_N_ELEMENTS(names) ? names[detail] : "failed";
}

static void on_lifecycle(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *user)
{
    Watch *watch = user;
    const char *id = domain_id(domain);

    if (!id || !watch->events)
        return;
    if (event == VIR_DOMAIN_EVENT_STOPPED)
        watch->events->ended(id, stop_reason(detail), watch->user);
    else if (event == VIR_DOMAIN_EVENT_SUSPENDED)
        watch->events->changed(id, GUEST_PAUSED, watch->user);
    else if (event == VIR_DOMAIN_EVENT_RESUMED ||
             (event == VIR_DOMAIN_EVENT_STARTED && detail != VIR_DOMAIN_EVENT_STARTED_MIGRATED))
        watch->events->changed(id, GUEST_RUNNING, watch->user);
}

static void on_job_completed(virConnectPtr conn, virDomainPtr domain, virTypedParameterPtr params,
                             int count, void *user)
{
    Watch *watch = user;
    VirtJobDone done = {.downtime_ms = -1};
    unsigned long long downtime, bytes;

    if (virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_DOWNTIME, &downtime) == 1)
        done.downtime_ms = downtime;
    if (virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_MEMORY_PROCESSED, &bytes) == 1)
        done.bytes = bytes;
    if (domain_id(domain) && watch->events)
        watch->events->migrated(domain_id(domain), &done, watch->user);
}

static void on_closed(virConnectPtr conn, int reason, void *user)
{
    Watch *watch = user;

    if (watch->events)
        watch->events->closed(watch->user);
}

gboolean virt_watch(Virt *virt, const VirtEvents *events, gpointer user, GError **error)
{
    static const struct {
        int id;
        virConnectDomainEventGenericCallback callback;
    } wanted[] = {
        {VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle)},
        {VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, VIR_DOMAIN_EVENT_CALLBACK(on_job_completed)},
    };
    Watch *watch = g_new0(Watch, 1);

    watch->refs = 1;
    watch->events = events;
    watch->user = user;
    virt->watch = watch;
    for (guint i = 0; i < G_N_ELEMENTS(wanted); i++) {
        virt->events[i] = virConnectDomainEventRegisterAny(
            virt->conn, NULL, wanted[i].id, wanted[i].callback, watch_ref(watch), watch_unref);
        if (virt->events[i] < 0)
            return fail(error, "cannot ask libvirtd for events");
    }
    if (virConnectRegisterCloseCallback(virt->conn, on_closed, watch_ref(watch), watch_unref) < 0 ||
        virConnectSetKeepAlive(virt->conn, 5, 3) < 0)
        return fail(error, "cannot ask libvirtd to say when it goes");
    return TRUE;
}

void virt_unwatch(Virt *virt)
{
    if (virt->watch)
        virt->watch->events = NULL;
}

gboolean virt_is_broken(Virt *virt)
{
    return virConnectIsAlive(virt->conn) != 1; /* knows by itself, does not ask */
}

void virt_warm(Virt *virt)
{
    g_autofree char *text =
        virConnectGetDomainCapabilities(virt->conn, NULL, "x86_64", "microvm", "qemu", 0);

    if (!text)
        log_warning("libvirtd cannot use QEMU: %s", virGetLastErrorMessage());
}

/* Guests. */

static virDomainPtr find(Virt *virt, const char *id, GError **error)
{
    virDomainPtr domain = virDomainLookupByUUIDString(virt->conn, id);

    if (!domain)
        fail(error, "cannot find the guest");
    return domain;
}

gboolean virt_create(Virt *virt, const char *xml, GError **error)
{
    g_autoptr(Domain) domain = virDomainCreateXML(virt->conn, xml, 0);

    return domain ? TRUE : fail(error, "cannot start the guest");
}

gboolean virt_destroy(Virt *virt, const char *id, GError **error)
{
    g_autoptr(Domain) domain = find(virt, id, error);

    return domain && (virDomainDestroy(domain) == 0 || fail(error, "cannot end the guest"));
}

gboolean virt_suspend(Virt *virt, const char *id, GError **error)
{
    g_autoptr(Domain) domain = find(virt, id, error);

    return domain && (virDomainSuspend(domain) == 0 || fail(error, "cannot suspend the guest"));
}

static gboolean is_running(virDomainPtr domain)
{
    int state;

    return virDomainGetState(domain, &state, NULL, 0) == 0 &&
           (state == VIR_DOMAIN_RUNNING || state == VIR_DOMAIN_BLOCKED);
}

/* Under TCG a guest that was stopped may have come from a machine whose TSC counts at another rate. Its kernel looks when it
 * gets an NMI, before anything else runs in it. (Under KVM the clock is KVM's.) */
static void announce_place(virDomainPtr domain)
{
    g_autofree char *xml = virDomainGetXMLDesc(domain, 0);

    if (xml && strstr(xml, "<domain type='qemu'") && virDomainInjectNMI(domain, 0) < 0)
        log_warning("a guest cannot be told where it is, and its clock may be wrong: %s", virGetLastErrorMessage());
}

/* libvirt refuses to resume what runs; but an order that is repeated must not be an error. */
gboolean virt_resume(Virt *virt, const char *id, GError **error)
{
    g_autoptr(GError) why = NULL;
    g_autoptr(Domain) domain = find(virt, id, error);

    if (!domain)
        return FALSE;
    if (!is_running(domain))
        announce_place(domain);
    if (virDomainResume(domain) == 0 || fail(&why, "cannot resume the guest") || is_running(domain))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&why));
    return FALSE;
}

gboolean virt_set_metadata(Virt *virt, const char *id, const char *xml, GError **error)
{
    g_autoptr(Domain) domain = find(virt, id, error);

    return domain && (virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, xml, "sojourn",
                                           GUEST_XML_NAMESPACE, VIR_DOMAIN_AFFECT_LIVE) == 0 ||
                      fail(error, "cannot describe the guest"));
}

static GuestPause pause_reason(int state, int reason)
{
    if (state != VIR_DOMAIN_PAUSED)
        return GUEST_PAUSE_NONE;
    switch (reason) {
    case VIR_DOMAIN_PAUSED_USER:
    case VIR_DOMAIN_PAUSED_SAVE:
    case VIR_DOMAIN_PAUSED_SNAPSHOT:
        return GUEST_PAUSE_USER;
    case VIR_DOMAIN_PAUSED_MIGRATION:
    case VIR_DOMAIN_PAUSED_STARTING_UP:
    case VIR_DOMAIN_PAUSED_POSTCOPY:
        return GUEST_PAUSE_MIGRATION;
    case VIR_DOMAIN_PAUSED_IOERROR:
    case VIR_DOMAIN_PAUSED_WATCHDOG:
    case VIR_DOMAIN_PAUSED_CRASHED:
    case VIR_DOMAIN_PAUSED_POSTCOPY_FAILED:
        return GUEST_PAUSE_FAULT;
    default:
        return GUEST_PAUSE_OTHER;
    }
}

static GuestState state_of(int state)
{
    switch (state) {
    case VIR_DOMAIN_RUNNING:
    case VIR_DOMAIN_BLOCKED:
        return GUEST_RUNNING;
    case VIR_DOMAIN_PAUSED:
    case VIR_DOMAIN_PMSUSPENDED:
        return GUEST_PAUSED;
    default:
        return GUEST_ENDED;
    }
}

static GuestInfo *info_new(const char *id, int state, int reason)
{
    GuestInfo *info = g_new0(GuestInfo, 1);

    info->id = g_strdup(id);
    info->state = state_of(state);
    info->pause = pause_reason(state, reason);
    return info;
}

/* A domain may go at any point of this: then NULL. */
static GuestInfo *describe(virDomainPtr domain)
{
    virDomainJobInfo job;
    int state, reason;

    if (virDomainGetState(domain, &state, &reason, 0) < 0)
        return NULL;
    g_autoptr(GuestInfo) info = info_new(domain_id(domain), state, reason);
    info->busy = virDomainGetJobInfo(domain, &job) == 0 && job.type != VIR_DOMAIN_JOB_NONE;
    g_autofree char *metadata = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT,
                                                     GUEST_XML_NAMESPACE, VIR_DOMAIN_AFFECT_LIVE);
    if (metadata)
        guest_xml_read_metadata(metadata, &info->epoch, &info->description);
    g_autofree char *xml = virDomainGetXMLDesc(domain, 0);
    if (xml)
        info->channel_path = guest_xml_channel(xml);
    return g_steal_pointer(&info);
}

/* One answer of libvirtd's has them all: it is asked every few seconds. */
GPtrArray *virt_list(Virt *virt, GError **error)
{
    virDomainStatsRecordPtr *records = NULL;
    int count = virConnectGetAllDomainStats(virt->conn, VIR_DOMAIN_STATS_STATE, &records,
                                            VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE);

    if (count < 0) {
        fail(error, "cannot list the guests");
        return NULL;
    }
    GPtrArray *guests = g_ptr_array_new_with_free_func((GDestroyNotify)guest_info_free);
    for (int i = 0; i < count; i++) {
        const virDomainStatsRecord *record = records[i];
        int state, reason;
        if (domain_id(record->dom) &&
            virTypedParamsGetInt(record->params, record->nparams, "state.state", &state) == 1 &&
            virTypedParamsGetInt(record->params, record->nparams, "state.reason", &reason) == 1)
            g_ptr_array_add(guests, info_new(domain_id(record->dom), state, reason));
    }
    virDomainStatsRecordListFree(records);
    return guests;
}

GuestInfo *virt_query(Virt *virt, const char *id, GError **error)
{
    g_autoptr(GError) why = NULL;
    g_autoptr(Domain) domain = find(virt, id, &why);
    GuestInfo *info = domain ? describe(domain) : NULL;

    if (!info && why && !g_error_matches(why, SJ_ERROR, SJ_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&why));
        return NULL;
    }
    if (!info) {
        info = g_new0(GuestInfo, 1);
        info->id = g_strdup(id);
        info->state = GUEST_ENDED;
    }
    return info;
}

/* Migration. */

gboolean virt_migrate(Virt *source, const char *id, Virt *destination, const char *stream_path,
                      guint64 bandwidth_mib, const char *destination_xml, GError **error)
{
    g_autoptr(Domain) domain = find(source, id, error), arrived = NULL;
    g_autofree char *uri = g_strdup_printf("unix://%s", stream_path);
    virTypedParameterPtr params = NULL;
    int count = 0, max = 0;

    if (!domain)
        return FALSE;
    if (virTypedParamsAddString(&params, &count, &max, VIR_MIGRATE_PARAM_URI, uri) < 0 ||
        (bandwidth_mib &&
         virTypedParamsAddULLong(&params, &count, &max, VIR_MIGRATE_PARAM_BANDWIDTH,
                                 bandwidth_mib) < 0) ||
        (destination_xml &&
         virTypedParamsAddString(&params, &count, &max, VIR_MIGRATE_PARAM_DEST_XML,
                                 destination_xml) < 0))
        g_error("out of memory");
    arrived = virDomainMigrate3(domain, destination->conn, params, count,
                                VIR_MIGRATE_LIVE | VIR_MIGRATE_PAUSED);
    virTypedParamsFree(params, count);
    return arrived ? TRUE : fail(error, "cannot migrate the guest");
}

gboolean virt_set_max_downtime(Virt *virt, const char *id, guint ms, GError **error)
{
    g_autoptr(Domain) domain = find(virt, id, error);

    return domain && (virDomainMigrateSetMaxDowntime(domain, ms, 0) == 0 ||
                      fail(error, "cannot bound the downtime"));
}

gboolean virt_abort(Virt *virt, const char *id, GError **error)
{
    g_autoptr(Domain) domain = find(virt, id, error);

    return domain && (virDomainAbortJob(domain) == 0 || fail(error, "cannot abort the migration"));
}

gboolean virt_progress(Virt *virt, const char *id, guint64 *ret_total, guint64 *ret_remaining,
                       guint *ret_iteration)
{
    g_autoptr(Domain) domain = find(virt, id, NULL);
    virTypedParameterPtr params = NULL;
    unsigned long long total = 0, remaining = 0, iteration = 0;
    int type = VIR_DOMAIN_JOB_NONE, count = 0;

    if (!domain || virDomainGetJobStats(domain, &type, &params, &count, 0) < 0)
        return FALSE;
    gboolean known =
        virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_MEMORY_TOTAL, &total) == 1 &&
        virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_MEMORY_REMAINING, &remaining) == 1;
    virTypedParamsGetULLong(params, count, VIR_DOMAIN_JOB_MEMORY_ITERATION, &iteration);
    virTypedParamsFree(params, count);
    *ret_total = total;
    *ret_remaining = remaining;
    *ret_iteration = iteration;
    return known && type != VIR_DOMAIN_JOB_NONE;
}
