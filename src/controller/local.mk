# sojournd: the node's controller
pkglibexec_PROGRAMS += sojournd
sojournd_SOURCES = \
	src/controller/admin.c src/controller/admin.h \
	src/controller/adoption.c src/controller/adoption.h \
	src/controller/arrival.c src/controller/arrival.h \
	src/controller/balancer.c src/controller/balancer.h \
	src/controller/calls.c src/controller/calls.h \
	src/controller/check.c src/controller/check.h \
	src/controller/codec.c src/controller/codec.h \
	src/controller/commands.c src/controller/commands.h \
	src/controller/control.c src/controller/control.h \
	src/controller/departure.c src/controller/departure.h \
	src/controller/deputies.c src/controller/deputies.h \
	src/controller/doctor.c src/controller/doctor.h \
	src/controller/evacuation.c src/controller/evacuation.h \
	src/controller/events.c src/controller/events.h \
	src/controller/hosted.c src/controller/hosted.h \
	src/controller/hosts.c src/controller/hosts.h \
	src/controller/image.c src/controller/image.h \
	src/controller/jobs.c src/controller/jobs.h \
	src/controller/load.c src/controller/load.h \
	src/controller/main.c \
	src/controller/migration.c src/controller/migration.h \
	src/controller/node.c src/controller/node.h \
	src/controller/ram-stream.c src/controller/ram-stream.h \
	src/controller/relay.c src/controller/relay.h \
	src/controller/spare.c src/controller/spare.h \
	src/controller/standing.c src/controller/standing.h \
	src/controller/verdict.c src/controller/verdict.h \
	$(NULL)
sojournd_CFLAGS = $(AM_CFLAGS) $(ZSTD_CFLAGS)
sojournd_LDADD = $(BALANCE_LIBS) $(HYPERVISOR_LIBS) $(CLUSTER_LIBS) $(COMMON_LIBS) $(ZSTD_LIBS)
