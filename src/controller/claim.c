/* SPDX-License-Identifier: GPL-2.0-or-later */
/* claim.c - what a deputy shows a restarted controller, to be taken for its job's (see claim.h) */
#include "claim.h"

#include "common/log.h"

#include <string.h>
#include <sys/random.h>

#define KEY_BYTES 32

struct Claim {
    guint8 key[KEY_BYTES];
};

static gboolean load(Claim *claim, const char *path)
{
    g_autofree char *text = NULL;
    gsize length = 0;

    if (!g_file_get_contents(path, &text, &length, NULL) || length != KEY_BYTES)
        return FALSE;
    memcpy(claim->key, text, KEY_BYTES);
    explicit_bzero(text, length);
    return TRUE;
}

Claim *claim_new(const char *folder)
{
    g_autofree char *path = g_build_filename(folder, "deputies.key", NULL);
    g_autoptr(GError) error = NULL;
    Claim *claim = g_new0(Claim, 1);

    if (load(claim, path))
        return claim;
    if (getrandom(claim->key, KEY_BYTES, 0) != KEY_BYTES)
        g_error("the kernel gives no random numbers");
    if (!g_file_set_contents_full(path, (const char *)claim->key, KEY_BYTES, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
        log_warning("jobs cannot outlive this controller: %s", error->message);
    return claim;
}

char *claim_text(const Claim *claim, const char *id, uid_t uid)
{
    g_autofree char *what = g_strdup_printf("%s %u", id, (guint)uid);

    return g_compute_hmac_for_string(G_CHECKSUM_SHA256, claim->key, KEY_BYTES, what, -1);
}

gboolean claim_holds(const Claim *claim, const char *id, uid_t uid, const char *text)
{
    g_autofree char *true_text = claim_text(claim, id, uid);
    guint8 difference = 0;

    if (strlen(text) != strlen(true_text))
        return FALSE;
    for (gsize i = 0; true_text[i]; i++)
        difference |= text[i] ^ true_text[i];
    return difference == 0;
}
