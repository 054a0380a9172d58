# The agent: static, its own flags (those of the other programs and the sanitizers are not for process 1), no GLib.
# A second time for the 32-bit guest. scripts/guest puts one into each initramfs.
noinst_PROGRAMS += guest/agent/agent
if HAVE_M32
noinst_PROGRAMS += guest/agent/agent-i686
endif

AGENT_COMPILE = -std=gnu11 $(WARN) -pthread -fno-pie -ffunction-sections -fdata-sections \
	-U_TIME_BITS -D_TIME_BITS=64 -U_FILE_OFFSET_BITS -D_FILE_OFFSET_BITS=64
AGENT_LINK = -static -pthread -s -Wl,--gc-sections

guest_agent_agent_SOURCES = \
	$(WIRE_SOURCES) \
	guest/agent/clock.c guest/agent/clock.h \
	guest/agent/console.c guest/agent/console.h \
	guest/agent/control.c guest/agent/control.h \
	guest/agent/departure.c guest/agent/departure.h \
	guest/agent/ends.c guest/agent/ends.h \
	guest/agent/files.c guest/agent/files.h \
	guest/agent/job.c guest/agent/job.h \
	guest/agent/kernel.c guest/agent/kernel.h \
	guest/agent/loop.c guest/agent/loop.h \
	guest/agent/main.c \
	guest/agent/mounts.c guest/agent/mounts.h \
	guest/agent/network.c guest/agent/network.h \
	guest/agent/port.c guest/agent/port.h \
	guest/agent/program.c guest/agent/program.h \
	guest/agent/random.c guest/agent/random.h \
	guest/agent/rehearse.c guest/agent/rehearse.h \
	guest/agent/resolver.c guest/agent/resolver.h \
	guest/agent/sockets.c guest/agent/sockets.h \
	guest/agent/streams.c guest/agent/streams.h \
	guest/agent/terminal.c guest/agent/terminal.h \
	guest/agent/tunnel.c guest/agent/tunnel.h \
	guest/agent/usage.c guest/agent/usage.h \
	guest/agent/warden.c guest/agent/warden.h \
	$(NULL)
guest_agent_agent_CFLAGS = $(AGENT_COMPILE)
guest_agent_agent_LDFLAGS = $(AGENT_LINK)

guest_agent_agent_i686_SOURCES = $(guest_agent_agent_SOURCES)
guest_agent_agent_i686_CFLAGS = $(AGENT_COMPILE) -m32
guest_agent_agent_i686_LDFLAGS = $(AGENT_LINK) -m32
