/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm.h - whether KVM really works here: proved by booting the guest, or not used */
#pragma once

#include "common/conf.h"

/* What was found out; each field is only meaningful if those before it allow the question. */
typedef struct {
    const char *wanted; /* "auto", "kvm", "tcg": the configuration */
    gboolean present;   /* /dev/kvm is there */
    gboolean opened;    /* and may be used; else open_errno says why not */
    int open_errno;
    int api_version;     /* KVM_GET_API_VERSION */
    const char *missing; /* name of the first needed capability that is missing; NULL: none */
    gboolean image;      /* there is a guest image to try */
    enum { KVM_TRIAL_NONE, KVM_TRIAL_PASSED, KVM_TRIAL_FAILED, KVM_TRIAL_TIMEOUT } trial;
} KvmFacts;

typedef struct {
    gboolean kvm;   /* else TCG */
    gboolean final; /* FALSE: the trial boot has still to be made */
    char *why;      /* a sentence */
} KvmVerdict;

void kvm_verdict_clear(KvmVerdict *verdict);

/* The decision, pure. */
KvmVerdict kvm_decide(const KvmFacts *facts);

/* Asks /dev/kvm, without the trial. */
void kvm_facts(const Conf *conf, KvmFacts *ret_facts);

/* Whether it is certain, without a trial, that guests run under TCG here. */
gboolean kvm_ruled_out(const Conf *conf);

/* Called once on the main context with "kvm" or "tcg" and the sentence. */
typedef void (*KvmDone)(const char *accel, const char *why, gpointer user);

/* Finds out, in the background: at once where facts suffice or state_dir/kvm remembers a trial of
 * this boot of the host with the image of this digest; else by one trial boot (at most 10 s).
 * digest may be NULL: image not known. */
void kvm_probe(const Conf *conf, const char *kernel, const char *initramfs, const char *digest,
               KvmDone done, gpointer user);
