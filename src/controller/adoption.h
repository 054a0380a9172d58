/* SPDX-License-Identifier: GPL-2.0-or-later */
/* adoption.h - libvirt's guests compared with the controller's records: those without a record are taken over
 *
 * Theory of operation. libvirt is the database of running guests. Every few seconds, and whenever the connection to libvirtd is
 * new, its list is compared with node->hosted. A guest without a record was started, or arrived, under an earlier controller:
 * its description is asked for, a record made, and home asked whose it is (hosted_doubt). A record without a guest, three
 * lists in a row, stands for a guest whose end was not heard of.
 *
 * The list says little of each guest, because it is made often and there may be hundreds; all else is asked for once, of a
 * guest that is taken over. node->adopted is set when that has been done for all guests of the first list.
 */
#pragma once

#include "node.h"

/* Begins a comparison; nothing where libvirtd does not answer. */
void adoption_look(Node *node);
