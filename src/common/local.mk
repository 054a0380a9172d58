# What both ends speak. libwire has no GLib: the agent links it too (compiled a second time with its own flags).
noinst_LIBRARIES += libcommon.a
WIRE_SOURCES = \
	src/common/checksum.c src/common/checksum.h \
	src/common/frame.c src/common/frame.h \
	src/common/home-sockets.h \
	src/common/link-private.h \
	src/common/link-receive.c \
	src/common/link-send.c \
	src/common/link.c src/common/link.h \
	src/common/tunnel.h \
	src/common/wire.c src/common/wire.h \
	$(NULL)
libcommon_a_SOURCES = \
	$(WIRE_SOURCES) \
	src/common/address.c src/common/address.h \
	src/common/conf.c src/common/conf.h \
	src/common/error.c src/common/error.h \
	src/common/fault.c src/common/fault.h \
	src/common/job-text.c src/common/job-text.h \
	src/common/json.c src/common/json.h \
	src/common/landlock.c src/common/landlock.h \
	src/common/log.c src/common/log.h \
	src/common/rpc.c src/common/rpc.h src/common/rpc-sync.c \
	src/common/source.c src/common/source.h \
	$(NULL)
libcommon_a_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS)
COMMON_LIBS = libcommon.a $(GLIB_LIBS) $(JSON_LIBS)
