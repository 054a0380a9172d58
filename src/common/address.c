/* SPDX-License-Identifier: GPL-2.0-or-later */
/* address.c - what is made of a node's address */
#include "address.h"

#include <arpa/inet.h>

guint address_number(const char *address)
{
    struct in_addr ip;

    return inet_pton(AF_INET, address, &ip) == 1 ? ntohl(ip.s_addr) & 0xffff : 0;
}
