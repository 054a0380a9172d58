# All that knows libvirt, QEMU and KVM
noinst_LIBRARIES += libhypervisor.a
libhypervisor_a_SOURCES = \
	src/hypervisor/gate-cookie.c src/hypervisor/gate-cookie.h \
	src/hypervisor/gate-peer.c src/hypervisor/gate-private.h \
	src/hypervisor/gate-source.c src/hypervisor/gate-source.h \
	src/hypervisor/gate.c src/hypervisor/gate.h \
	src/hypervisor/guest-migrate.c \
	src/hypervisor/guest-process.c src/hypervisor/guest-process.h \
	src/hypervisor/guest-usage.c src/hypervisor/guest-usage.h \
	src/hypervisor/guest-xml.c src/hypervisor/guest-xml.h \
	src/hypervisor/guest.c src/hypervisor/guest.h \
	src/hypervisor/host.c src/hypervisor/host.h \
	src/hypervisor/hypervisor.c src/hypervisor/hypervisor.h src/hypervisor/hypervisor-internal.h \
	src/hypervisor/kvm.c src/hypervisor/kvm.h \
	src/hypervisor/libvirt-rpc.c src/hypervisor/libvirt-rpc.h \
	src/hypervisor/libvirtd.c src/hypervisor/libvirtd.h \
	src/hypervisor/monitor.c src/hypervisor/monitor.h \
	src/hypervisor/ram-stream.c src/hypervisor/ram-stream.h \
	src/hypervisor/snapshot.c src/hypervisor/snapshot.h \
	src/hypervisor/virt.c src/hypervisor/virt.h \
	src/hypervisor/xdr.c src/hypervisor/xdr.h \
	$(NULL)
libhypervisor_a_CPPFLAGS = $(AM_CPPFLAGS) -DLIBVIRT_LIBDIR='"$(LIBVIRT_LIBDIR)"'
libhypervisor_a_CFLAGS = $(AM_CFLAGS) $(LIBVIRT_CFLAGS) $(LIBVIRT_GLIB_CFLAGS)
HYPERVISOR_LIBS = libhypervisor.a $(LIBVIRT_GLIB_LIBS) $(LIBVIRT_LIBS)

pkglibexec_PROGRAMS += sojourn-supervisor
sojourn_supervisor_SOURCES = src/hypervisor/supervisor.c
sojourn_supervisor_LDADD = $(COMMON_LIBS)

# Not a test itself: a node without a controller, for trying libvirtd, guests and libvirt's own migration
check_PROGRAMS += hv
hv_SOURCES = tests/hypervisor/hv.c
hv_LDADD = $(HYPERVISOR_LIBS) $(COMMON_LIBS)

UNIT_TESTS += test-guest-usage
test_guest_usage_SOURCES = tests/unit/test-guest-usage.c
test_guest_usage_LDADD = $(HYPERVISOR_LIBS) $(UNIT_LDADD)

UNIT_TESTS += test-guest-xml
test_guest_xml_SOURCES = tests/unit/test-guest-xml.c
test_guest_xml_LDADD = $(HYPERVISOR_LIBS) $(UNIT_LDADD)
EXTRA_DIST += tests/data

# Both gates between two real libvirtds; root becomes nobody for it
UNIT_TESTS += test-gate-live
test_gate_live_SOURCES = tests/hypervisor/test-gate-live.c
test_gate_live_CFLAGS = $(AM_CFLAGS) $(LIBVIRT_CFLAGS)
test_gate_live_LDADD = $(HYPERVISOR_LIBS) $(UNIT_LDADD)

UNIT_TESTS += test-gate
test_gate_SOURCES = tests/unit/test-gate.c
test_gate_LDADD = $(HYPERVISOR_LIBS) $(UNIT_LDADD)

UNIT_TESTS += test-kvm
test_kvm_SOURCES = tests/unit/test-kvm.c
test_kvm_LDADD = $(HYPERVISOR_LIBS) $(UNIT_LDADD)

UNIT_TESTS += test-libvirtd
test_libvirtd_SOURCES = tests/unit/test-libvirtd.c
test_libvirtd_LDADD = $(HYPERVISOR_LIBS) $(UNIT_LDADD)

SHELL_TESTS += tests/hypervisor/adopt.sh tests/hypervisor/cage.sh tests/hypervisor/migrate.sh \
	tests/hypervisor/supervisor.sh
dist_check_SCRIPTS += tests/hypervisor/adopt.sh tests/hypervisor/cage.sh tests/hypervisor/migrate.sh \
	tests/hypervisor/supervisor.sh
EXTRA_DIST += tests/hypervisor/lib.sh
