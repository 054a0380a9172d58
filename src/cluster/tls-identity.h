/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls-identity.h - what tls.c and its threads need of an identity; others include tls.h */
#pragma once

#include "tls-connection.h"
#include "tls.h"

/* A connection in the books. */
typedef struct TlsEntry TlsEntry;

/* What a new connection authenticates with; NULL with an error when nothing is loaded. */
TlsCredentials *tls_identity_credentials(TlsIdentity *identity, GError **error);

/* Enters a connection with node (NULL: nameless) for purpose; socket stays the caller's and must
 * not be closed before tls_identity_leave. NULL when node has too many. Any thread. */
TlsEntry *tls_identity_enter(TlsIdentity *identity, const char *node, const char *purpose,
                             int socket);
void tls_identity_leave(TlsIdentity *identity, TlsEntry *entry);

/* Where the entry's payload is counted. */
TlsCounter *tls_entry_counter(TlsEntry *entry);

/* For the start of a connection's thread: signals are the main thread's. */
void tls_block_signals(void);

/* Small messages go at once; a dead peer is noticed. */
void tls_tune(int fd);
void tls_tune_for_purpose(int fd, const char *purpose);

/* Both ends of a local connection; FALSE when there are no descriptors left. */
gboolean tls_plain_pair(int pair[2], GError **error);

/* Gives one of the two the buffers that suit the connection's purpose. */
void tls_tune_plain(int fd, const char *purpose);
