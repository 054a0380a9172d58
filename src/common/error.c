/* SPDX-License-Identifier: GPL-2.0-or-later */
/* error.c - the one GError domain: what kind of failure, and the exit status that goes with it */
#include "error.h"

#include <errno.h>

G_DEFINE_QUARK(sojourn-error-quark, sj_error)

static const char *const names[] = {
    [SJ_ERROR_FAILED] = "failed",     [SJ_ERROR_USAGE] = "usage",
    [SJ_ERROR_NOT_FOUND] = "not-found", [SJ_ERROR_DENIED] = "denied",
    [SJ_ERROR_BUSY] = "busy",         [SJ_ERROR_GONE] = "gone",
    [SJ_ERROR_TIMEOUT] = "timeout",   [SJ_ERROR_PROTOCOL] = "protocol",
    [SJ_ERROR_COMMITTED] = "committed", [SJ_ERROR_DOWN] = "down",
    [SJ_ERROR_CUT] = "cut",
    [SJ_ERROR_LOCKED] = "locked",
};
G_STATIC_ASSERT(G_N_ELEMENTS(names) == SJ_ERROR_LAST);

const char *sj_error_name(int code)
{
    return code >= 0 && code < SJ_ERROR_LAST ? names[code] : names[SJ_ERROR_FAILED];
}

int sj_error_code(const char *name)
{
    for (int code = 0; name && code < SJ_ERROR_LAST; code++)
        if (g_str_equal(name, names[code]))
            return code;
    return SJ_ERROR_FAILED;
}

int sj_error_exit(const GError *error)
{
    return g_error_matches(error, SJ_ERROR, SJ_ERROR_USAGE) ? 2 : 1;
}

int sj_error_errno(const GError *error)
{
    static const struct {
        SjErrorCode code;
        int error;
    } table[] = {
        { SJ_ERROR_USAGE, EINVAL }, { SJ_ERROR_NOT_FOUND, EINVAL }, { SJ_ERROR_DENIED, EPERM },
        { SJ_ERROR_LOCKED, EBUSY }, { SJ_ERROR_BUSY, EAGAIN },      { SJ_ERROR_DOWN, EHOSTDOWN },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
        if (g_error_matches(error, SJ_ERROR, table[i].code))
            return table[i].error;
    return EIO;
}
