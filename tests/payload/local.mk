# Payloads: small programs that make state, are moved, and verify it; each prints a line that begins with "verdict"
check_PROGRAMS += steady payload
steady_SOURCES = tests/payload/steady.c
steady_LDADD =
payload_SOURCES = tests/payload/payload.c tests/payload/payload.h tests/payload/attr.c tests/payload/cpu.c \
	tests/payload/data.c tests/payload/differ.c tests/payload/exec.c tests/payload/fsx.c tests/payload/ipc.c tests/payload/locks.c \
	tests/payload/map.c tests/payload/memory.c tests/payload/names.c tests/payload/partner.c tests/payload/process.c \
	tests/payload/signals.c tests/payload/stream.c tests/payload/threads.c tests/payload/time.c
# as programs are, without sanitizers
payload_CFLAGS = -std=gnu11 -pthread $(WARN)
payload_LDFLAGS = -pthread
payload_LDADD = -lm -lrt
dist_check_SCRIPTS += tests/payload/payload.sh tests/payload/differences.sh
EXTRA_DIST += tests/payload/cases

# The longer form: each case lasts a minute, folders have 100,000 entries
check-payload-long: all payload
	SOJOURN_BUILD=$(abs_top_builddir) PAYLOAD_SECONDS=$${PAYLOAD_SECONDS:-60} PAYLOAD_LONG=1 $(srcdir)/tests/payload/payload.sh
.PHONY: check-payload-long

check_PROGRAMS += wanderer
wanderer_SOURCES = tests/payload/wanderer.c
wanderer_LDADD =

check_PROGRAMS += leaver
leaver_SOURCES = tests/payload/leaver.c
leaver_LDADD =

check_PROGRAMS += clockwork
clockwork_SOURCES = tests/payload/clockwork.c
clockwork_LDADD =
