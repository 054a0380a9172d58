# Unit tests: one GLib test program (TAP on its output) a file. To add one: a paragraph like these; UNIT_TESTS is enough.
UNIT_LDADD = $(COMMON_LIBS)
check_PROGRAMS += $(UNIT_TESTS)

UNIT_TESTS += test-conf
test_conf_SOURCES = tests/unit/test-conf.c
test_conf_LDADD = $(UNIT_LDADD)

UNIT_TESTS += test-rpc
test_rpc_SOURCES = tests/unit/test-rpc.c
test_rpc_LDADD = $(UNIT_LDADD)

UNIT_TESTS += test-landlock
test_landlock_SOURCES = tests/unit/test-landlock.c
test_landlock_LDADD = $(UNIT_LDADD)

UNIT_TESTS += test-arbiter
test_arbiter_SOURCES = tests/unit/test-arbiter.c src/deputy/arbiter.c src/deputy/arbiter.h
test_arbiter_LDADD = $(GLIB_LIBS)

UNIT_TESTS += test-control
test_control_SOURCES = tests/unit/test-control.c src/deputy/control.c src/deputy/control.h
test_control_LDADD = $(UNIT_LDADD)

UNIT_TESTS += test-discovery
test_discovery_SOURCES = tests/unit/test-discovery.c tests/unit/wait-until.h src/cluster/discovery.c src/cluster/discovery.h
test_discovery_LDADD = $(UNIT_LDADD)

UNIT_TESTS += test-procfs
test_procfs_SOURCES = tests/unit/test-procfs.c src/cli/procfs.c src/cli/procfs.h src/cli/procfs-remote.c
test_procfs_LDADD = $(UNIT_LDADD)

UNIT_TESTS += test-chart
test_chart_SOURCES = tests/unit/test-chart.c src/cli/chart.c src/cli/chart.h
test_chart_LDADD = $(GLIB_LIBS)

UNIT_TESTS += test-verdict
test_verdict_SOURCES = tests/unit/test-verdict.c src/controller/verdict.c src/controller/verdict.h
test_verdict_LDADD = $(GLIB_LIBS)

UNIT_TESTS += test-ram-stream
test_ram_stream_SOURCES = tests/unit/test-ram-stream.c src/hypervisor/ram-stream.c src/hypervisor/ram-stream.h
test_ram_stream_LDADD = $(GLIB_LIBS)

UNIT_TESTS += test-gathering
test_gathering_SOURCES = tests/unit/test-gathering.c
test_gathering_LDADD = $(BALANCE_LIBS)

UNIT_TESTS += test-forecast
test_forecast_SOURCES = tests/unit/test-forecast.c src/controller/forecast.c src/controller/forecast.h
test_forecast_LDADD = $(BALANCE_LIBS)

UNIT_TESTS += test-codec
test_codec_SOURCES = tests/unit/test-codec.c src/controller/codec.c src/controller/codec.h
test_codec_LDADD = $(GLIB_LIBS) $(ZSTD_LIBS)

UNIT_TESTS += test-balance
test_balance_SOURCES = tests/unit/test-balance.c
test_balance_LDADD = $(BALANCE_LIBS)

UNIT_TESTS += test-vector
test_vector_SOURCES = tests/unit/test-vector.c
test_vector_LDADD = $(BALANCE_LIBS)

UNIT_TESTS += test-wire
test_wire_SOURCES = tests/unit/test-wire.c
test_wire_LDADD = $(UNIT_LDADD)

UNIT_TESTS += test-tls
test_tls_SOURCES = tests/unit/test-tls.c tests/unit/wait-until.h
test_tls_LDADD = $(CLUSTER_LIBS)

UNIT_TESTS += test-authority
test_authority_SOURCES = tests/unit/test-authority.c
test_authority_LDADD = $(CLUSTER_LIBS)

UNIT_TESTS += test-gossip
test_gossip_SOURCES = tests/unit/test-gossip.c
test_gossip_LDADD = $(CLUSTER_LIBS)

UNIT_TESTS += test-members
test_members_SOURCES = tests/unit/test-members.c tests/unit/wait-until.h
test_members_LDADD = $(CLUSTER_LIBS)
EXTRA_DIST += tests/unit/tsan.supp
UNIT_TESTS += test-frame
test_frame_SOURCES = tests/unit/test-frame.c
test_frame_LDADD = $(UNIT_LDADD)

UNIT_TESTS += test-link
test_link_SOURCES = tests/unit/test-link.c tests/unit/link-world.c tests/unit/link-world.h
test_link_LDADD = $(UNIT_LDADD)

UNIT_TESTS += test-files-closet
test_files_closet_SOURCES = tests/unit/test-files-closet.c tests/unit/locked.c tests/unit/locked.h
test_files_closet_LDADD = $(DEPUTY_LIBS) $(UNIT_LDADD)

UNIT_TESTS += test-files-inode
test_files_inode_SOURCES = tests/unit/test-files-inode.c src/deputy/files-inode.c src/deputy/files-inode.h src/deputy/files-inode-impl.h \
	src/deputy/files-closet.c src/deputy/files-stamp.c src/deputy/files-walk.c
test_files_inode_LDADD = $(GLIB_LIBS)

UNIT_TESTS += test-files-lock
test_files_lock_SOURCES = tests/unit/test-files-lock.c src/deputy/files-lock.c src/deputy/files-lock.h \
	src/deputy/files-lock-private.h src/deputy/files-lock-owner.c src/deputy/files-lock-wait.c
test_files_lock_LDADD = $(GLIB_LIBS)

UNIT_TESTS += test-files
test_files_SOURCES = tests/unit/test-files.c
test_files_LDADD = $(DEPUTY_LIBS) $(COMMON_LIBS)

UNIT_TESTS += test-deputy
test_deputy_SOURCES = tests/unit/test-deputy.c
test_deputy_LDADD = $(DEPUTY_LIBS) $(UNIT_LDADD)

UNIT_TESTS += test-fifos
test_fifos_SOURCES = tests/unit/test-fifos.c tests/unit/locked.c tests/unit/locked.h
test_fifos_CFLAGS = $(AM_CFLAGS) $(FUSE_CFLAGS)
test_fifos_LDADD = $(DEPUTY_LIBS) $(UNIT_LDADD)

UNIT_TESTS += test-nat
test_nat_SOURCES = tests/unit/test-nat.c
test_nat_LDADD = $(DEPUTY_LIBS) $(UNIT_LDADD)

UNIT_TESTS += test-sockets
test_sockets_SOURCES = tests/unit/test-sockets.c tests/unit/locked.c tests/unit/locked.h
test_sockets_CFLAGS = $(AM_CFLAGS) $(FUSE_CFLAGS)
test_sockets_LDADD = $(DEPUTY_LIBS) $(UNIT_LDADD)

UNIT_TESTS += test-web
test_web_SOURCES = tests/unit/test-web.c src/controller/tally.c src/controller/web-guard.c src/controller/web-metrics.c \
	src/controller/web-past.c src/controller/web-session.c
test_web_LDADD = $(UNIT_LDADD)

UNIT_TESTS += test-web-view
test_web_view_SOURCES = tests/unit/test-web-view.c src/controller/web-view.c src/controller/web-past.c
test_web_view_LDADD = $(UNIT_LDADD)
