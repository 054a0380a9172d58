# The home's half of a job
noinst_LIBRARIES += libdeputy.a
FILES_SOURCES = \
	src/deputy/files-again.c \
	src/deputy/files-ahead.c \
	src/deputy/files-attr.c \
	src/deputy/files-bare.c \
	src/deputy/files-channel.c \
	src/deputy/files-check.c \
	src/deputy/files-closet.c src/deputy/files-closet.h \
	src/deputy/files-cred.c \
	src/deputy/files-data.c \
	src/deputy/files-flags.c \
	src/deputy/files-dir.c \
	src/deputy/files-handle.c \
	src/deputy/files-impl.h \
	src/deputy/files-inode.c src/deputy/files-inode.h src/deputy/files-inode-impl.h \
	src/deputy/files-lock-op.c \
	src/deputy/files-lock.c src/deputy/files-lock.h src/deputy/files-lock-private.h \
	src/deputy/files-lock-owner.c src/deputy/files-lock-wait.c \
	src/deputy/files-name.c \
	src/deputy/files-open.c \
	src/deputy/files-refuse.c \
	src/deputy/files-stamp.c \
	src/deputy/files-walk.c \
	src/deputy/files-watch.c \
	src/deputy/files.c src/deputy/files.h \
	$(NULL)
SOCKETS_SOURCES = \
	src/common/home-sockets.h \
	src/deputy/sockets-data.c \
	src/deputy/sockets-datagram.c \
	src/deputy/sockets-fifo.c \
	src/deputy/sockets-impl.h \
	src/deputy/sockets-name.c \
	src/deputy/sockets-option.c \
	src/deputy/sockets-order.c \
	src/deputy/sockets-poll.c \
	src/deputy/sockets.c src/deputy/sockets.h \
	$(NULL)
libdeputy_a_SOURCES = \
	$(FILES_SOURCES) \
	$(SOCKETS_SOURCES) \
	src/deputy/arbiter.c src/deputy/arbiter.h \
	src/deputy/back.c src/deputy/back.h src/deputy/back-private.h \
	src/deputy/back-link.c \
	src/deputy/back-fetched.c \
	src/deputy/back-orders.c \
	src/deputy/control.c src/deputy/control.h \
	src/deputy/detach.c src/deputy/detach.h \
	src/deputy/front.c src/deputy/front.h src/deputy/front-private.h src/deputy/front-signals.c \
	src/deputy/front-streams.c \
	src/deputy/home-network.c src/deputy/home-network.h \
	src/deputy/kept.c src/deputy/kept.h \
	src/deputy/nat-network.c src/deputy/nat-network.h \
	src/deputy/nat.c src/deputy/nat.h \
	src/deputy/node-start.c src/deputy/node-start.h \
	src/deputy/pair.c src/deputy/pair.h \
	src/deputy/port.c src/deputy/port.h \
	src/deputy/replies.c src/deputy/replies.h \
	src/deputy/sandbox.c src/deputy/sandbox.h \
	src/deputy/signals.c src/deputy/signals.h \
	src/deputy/start.c src/deputy/start.h \
	src/deputy/streams.c src/deputy/streams.h \
	src/deputy/syscalls.c src/deputy/syscalls.h \
	src/deputy/terminal.c src/deputy/terminal.h \
	src/deputy/timings.c src/deputy/timings.h \
	$(NULL)
libdeputy_a_CFLAGS = $(AM_CFLAGS) $(FUSE_CFLAGS) $(SECCOMP_CFLAGS) $(SLIRP_CFLAGS)
DEPUTY_LIBS = libdeputy.a $(FUSE_LIBS) $(SECCOMP_LIBS) $(SLIRP_LIBS)
