# Fuzz targets: run over their seeds in make check; linked with libFuzzer by --enable-fuzzers (clang).
# To add one: a paragraph like the last, and seeds in tests/fuzz/seeds/NAME for fuzz-NAME.
FUZZ_TARGETS =
if FUZZERS
FUZZ_DRIVER =
FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer
else
FUZZ_DRIVER = tests/fuzz/driver.c
FUZZ_LINK = $(AM_LDFLAGS)
TESTS += $(FUZZ_TARGETS)
endif
check_PROGRAMS += $(FUZZ_TARGETS)
EXTRA_DIST += tests/fuzz/seeds

FUZZ_TARGETS += fuzz-wire
fuzz_wire_SOURCES = tests/fuzz/fuzz-wire.c src/common/wire.c src/common/wire.h $(FUZZ_DRIVER)
fuzz_wire_LDFLAGS = $(FUZZ_LINK)

LINK_SOURCES = src/common/checksum.c src/common/frame.c src/common/link.c src/common/link-send.c src/common/link-receive.c

FUZZ_TARGETS += fuzz-frame
fuzz_frame_SOURCES = tests/fuzz/fuzz-frame.c src/common/checksum.c src/common/frame.c $(FUZZ_DRIVER)
fuzz_frame_LDFLAGS = $(FUZZ_LINK)

FUZZ_TARGETS += fuzz-link
fuzz_link_SOURCES = tests/fuzz/fuzz-link.c $(LINK_SOURCES) $(FUZZ_DRIVER)
fuzz_link_LDFLAGS = $(FUZZ_LINK)

FUZZ_TARGETS += fuzz-gate
fuzz_gate_SOURCES = tests/fuzz/fuzz-gate.c src/hypervisor/gate.c src/hypervisor/gate-cookie.c \
	src/hypervisor/gate-peer.c \
	src/hypervisor/gate-source.c src/hypervisor/libvirt-rpc.c src/hypervisor/xdr.c src/common/error.c src/common/fault.c \
	src/common/source.c \
	$(FUZZ_DRIVER)
fuzz_gate_LDFLAGS = $(FUZZ_LINK)
fuzz_gate_LDADD = $(GLIB_LIBS)

FUZZ_TARGETS += fuzz-ram-stream
fuzz_ram_stream_SOURCES = tests/fuzz/fuzz-ram-stream.c src/hypervisor/ram-stream.c src/hypervisor/ram-stream.h $(FUZZ_DRIVER)
fuzz_ram_stream_LDFLAGS = $(FUZZ_LINK)
fuzz_ram_stream_LDADD = $(GLIB_LIBS)

FUZZ_TARGETS += fuzz-token
fuzz_token_SOURCES = tests/fuzz/fuzz-token.c src/cluster/token.c src/cluster/token.h $(FUZZ_DRIVER)
fuzz_token_LDFLAGS = $(FUZZ_LINK)
fuzz_token_LDADD = $(COMMON_LIBS)

FUZZ_TARGETS += fuzz-preamble
fuzz_preamble_SOURCES = tests/fuzz/fuzz-preamble.c src/cluster/tls.c src/cluster/tls.h $(FUZZ_DRIVER)
fuzz_preamble_LDFLAGS = $(FUZZ_LINK)
fuzz_preamble_LDADD = $(COMMON_LIBS)

FUZZ_TARGETS += fuzz-files
fuzz_files_SOURCES = tests/fuzz/fuzz-files.c $(FILES_SOURCES) src/common/error.c $(FUZZ_DRIVER)
fuzz_files_CFLAGS = $(AM_CFLAGS) $(FUSE_CFLAGS)
fuzz_files_LDFLAGS = $(FUZZ_LINK)
fuzz_files_LDADD = $(GLIB_LIBS) $(FUSE_LIBS)

FUZZ_TARGETS += fuzz-sockets
fuzz_sockets_SOURCES = tests/fuzz/fuzz-sockets.c $(SOCKETS_SOURCES) $(FILES_SOURCES) src/common/error.c \
	src/common/log.c src/common/source.c $(FUZZ_DRIVER)
fuzz_sockets_CFLAGS = $(AM_CFLAGS) $(FUSE_CFLAGS)
fuzz_sockets_LDFLAGS = $(FUZZ_LINK)
fuzz_sockets_LDADD = $(GLIB_LIBS) $(FUSE_LIBS)

FUZZ_TARGETS += fuzz-nat
fuzz_nat_SOURCES = tests/fuzz/fuzz-nat.c src/deputy/nat.c src/deputy/nat.h src/deputy/nat-network.c src/deputy/nat-network.h \
	src/common/error.c src/common/log.c src/common/source.c $(FUZZ_DRIVER)
fuzz_nat_CFLAGS = $(AM_CFLAGS) $(SLIRP_CFLAGS)
fuzz_nat_LDFLAGS = $(FUZZ_LINK)
fuzz_nat_LDADD = $(GLIB_LIBS) $(SLIRP_LIBS)

FUZZ_TARGETS += fuzz-rpc
fuzz_rpc_SOURCES = tests/fuzz/fuzz-rpc.c $(FUZZ_DRIVER)
fuzz_rpc_LDFLAGS = $(FUZZ_LINK)
fuzz_rpc_LDADD = $(COMMON_LIBS)

FUZZ_TARGETS += fuzz-conf
fuzz_conf_SOURCES = tests/fuzz/fuzz-conf.c $(FUZZ_DRIVER)
fuzz_conf_LDFLAGS = $(FUZZ_LINK)
fuzz_conf_LDADD = $(COMMON_LIBS)

FUZZ_TARGETS += fuzz-vector
fuzz_vector_SOURCES = tests/fuzz/fuzz-vector.c $(FUZZ_DRIVER)
fuzz_vector_LDFLAGS = $(FUZZ_LINK)
fuzz_vector_LDADD = $(BALANCE_LIBS)

FUZZ_TARGETS += fuzz-serf
fuzz_serf_SOURCES = tests/fuzz/fuzz-serf.c $(FUZZ_DRIVER)
fuzz_serf_LDFLAGS = $(FUZZ_LINK)
fuzz_serf_LDADD = $(CLUSTER_LIBS)

FUZZ_TARGETS += fuzz-web
fuzz_web_SOURCES = tests/fuzz/fuzz-web.c src/controller/web-guard.c src/controller/web-guard.h $(FUZZ_DRIVER)
fuzz_web_LDFLAGS = $(FUZZ_LINK)
fuzz_web_LDADD = $(GLIB_LIBS)
