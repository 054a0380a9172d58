/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/* home-sockets.h - the records by which sockets and FIFOs of the guest live at home, as on /dev/home-sockets so on the link
 *
 * docs/protocol.md ("Sockets") says what each record means. The guest's kernel has a copy of this file,
 * include/uapi/linux/home_sockets.h; a test keeps the two equal from the line of dashes on. Numbers are little-endian,
 * sizes are in bytes, nothing depends on the word size of either end.
 */
#ifndef HOME_SOCKETS_H
#define HOME_SOCKETS_H

#include <linux/types.h>
#ifdef __KERNEL__
#include <linux/ioctl.h>
#else
#include <sys/ioctl.h>
#endif

/* ------------------------------------------------------------------------- */

#define HOME_SOCKETS_VERSION 1

/* What every record begins with. Fields that a record does not use are 0. */
struct home_sockets_head {
	__u32 size;		/* of the whole record, this head included */
	__u16 type;		/* enum home_sockets_type */
	__u16 flags;		/* HOME_SOCKETS_... below */
	__u32 socket;		/* which; never 0 */
	__u32 request;		/* number of a request that is to be answered, or that this answers; 0: none */
	__u32 error;		/* errno, Linux's numbers on x86; 0: none */
	__u32 value;
	__u32 more;
	__u32 extra;
};

enum home_sockets_type {
	/* requests of the guest, each answered once by ANSWER with the same number */
	HOME_SOCKETS_CREATE = 1,	/* value: domain, more: type, extra: protocol */
	HOME_SOCKETS_BIND,		/* address */
	HOME_SOCKETS_CONNECT,		/* address; AF_UNSPEC: disconnect */
	HOME_SOCKETS_LISTEN,		/* value: backlog */
	HOME_SOCKETS_NAME,		/* value: 0 own, 1 peer's */
	HOME_SOCKETS_SETOPT,		/* value: level, more: name; the value */
	HOME_SOCKETS_GETOPT,		/* value: level, more: name, extra: at most so many bytes; what the caller had there */
	HOME_SOCKETS_IOCTL,		/* value: command, extra: at most so many bytes; the argument */
	/* of the guest, without an answer unless they have a number */
	HOME_SOCKETS_SHUTDOWN,		/* value: SHUT_RD, SHUT_WR, SHUT_RDWR; comes behind the data */
	HOME_SOCKETS_RELEASE,		/* comes behind the data; the number is free when it is answered, or never used again */
	/* FIFOs: requests of the guest, answered when it is done */
	HOME_SOCKETS_OPEN,		/* a new one's end; value: O_RDONLY, O_WRONLY or O_RDWR; its place */
	HOME_SOCKETS_READ,		/* value: at most so many bytes */
	HOME_SOCKETS_WRITE,		/* the bytes; answered with home_sockets_written */
	HOME_SOCKETS_POLL,		/* value: EPOLLIN, EPOLLOUT; answered with a __u32 of those that there are */
	HOME_SOCKETS_INTERRUPT,		/* request: one that is to be answered now, with EINTR if nothing was done */

	/* of home */
	HOME_SOCKETS_ANSWER = 32,	/* request, error; the result */
	HOME_SOCKETS_CONNECTED,		/* request: CONNECT's; error; names */
	HOME_SOCKETS_ACCEPTED,		/* socket: the listening one, value: the new one, more: its other end in the guest; names */
	HOME_SOCKETS_END,		/* the peer sends no more */
	HOME_SOCKETS_ERROR,		/* error: of a stream its end, of datagrams for whoever asks next */
	HOME_SOCKETS_EVENTS,		/* of a FIFO; value: what POLL would say now */

	/* both ways */
	HOME_SOCKETS_DATA = 64,		/* of a stream: 1 to HOME_SOCKETS_DATA_MAX bytes */
	HOME_SOCKETS_DATAGRAM,		/* value: size of the address, more: of the control data; address, control data, data */
	HOME_SOCKETS_TAKEN,		/* value: credit given back */
};

/* flags */
#define HOME_SOCKETS_OOB	1	/* DATA: its last byte is urgent */
#define HOME_SOCKETS_UNREAD	2	/* RELEASE: data was thrown away unread; RESET of a stream, as the kernel would send it */
#define HOME_SOCKETS_TRUNC	4	/* DATAGRAM from home: it was longer */
#define HOME_SOCKETS_NOWAIT	8	/* OPEN, READ, WRITE: O_NONBLOCK */
#define HOME_SOCKETS_MORE	16	/* DATA, DATAGRAM of the guest: MSG_MORE */
#define HOME_SOCKETS_QUEUED	32	/* DATAGRAM from home: of the error queue; error: of the socket, or 0; takes no credit */

/* Sockets that home makes (ACCEPTED) have this bit, those that the guest makes do not. */
#define HOME_SOCKETS_BY_HOME	0x80000000u

/* What each side may send before TAKEN: bytes of a socket's DATA, or of its DATAGRAM records, heads included. */
#define HOME_SOCKETS_WINDOW	1048576
/* Connections of a listening socket that home may announce before TAKEN: its backlog, at least 1, at most this. */
#define HOME_SOCKETS_ACCEPTS	64

#define HOME_SOCKETS_DATA_MAX	32688		/* with its head one frame of the link */
#define HOME_SOCKETS_FIFO_MAX	65536		/* of READ, WRITE */
#define HOME_SOCKETS_ADDRESS_MAX 128
#define HOME_SOCKETS_CONTROL_MAX 1024
#define HOME_SOCKETS_VALUE_MAX	4096		/* of SETOPT, GETOPT, IOCTL */
#define HOME_SOCKETS_RECORD_MAX	(65535 + 32 + HOME_SOCKETS_ADDRESS_MAX + HOME_SOCKETS_CONTROL_MAX + 1)

/* The payload of ANSWER to BIND, CONNECT, LISTEN and NAME, of CONNECTED and of ACCEPTED: own name and peer's. NAME fills
 * in the one that was asked for. */
struct home_sockets_name {
	__u32 size;		/* of the address; 0: not said */
	__u8 address[HOME_SOCKETS_ADDRESS_MAX];	/* struct sockaddr */
};

struct home_sockets_names {
	struct home_sockets_name own, peer;
};

/* An AF_UNIX address that the guest sends, and what OPEN opens: a place in the home's tree. */
struct home_sockets_place {
	__u16 family;		/* AF_UNIX */
	__u16 mode;		/* BIND: of the new file, umask already taken off */
	__u32 zero;
	__u64 node;		/* FUSE's number: of the socket or FIFO, or of the folder where BIND makes a socket */
	__u8 name[];		/* BIND: its name there, without a zero byte */
};

/* The answer to WRITE, unless nothing was written: then its error is the answer's */
struct home_sockets_written {
	__u32 size;		/* so many bytes were */
	__u32 error;		/* why not all of them, or 0 */
};

/* Each item of a DATAGRAM's control data; the next one begins at a multiple of 4. */
struct home_sockets_control {
	__u32 size;		/* of the data behind this */
	__u32 level;
	__u32 type;
};

/* On the device: bytes and records of the guest's sockets that were not read yet, into a __u64. */
#define HOME_SOCKETS_PENDING	_IOR('H', 0x53, __u64)

#endif
