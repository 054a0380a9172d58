# The guest's kernel, booted: skipped where it is not in the cache of scripts/guest
SHELL_TESTS += tests/image/beliefs.sh tests/image/boot.sh tests/image/check-config.sh tests/image/control.sh tests/image/features.sh tests/image/files.sh tests/image/patches.sh \
	tests/image/port.sh tests/image/reading.sh tests/image/round-trips.sh tests/image/sockets.sh tests/image/submounts.sh
dist_check_SCRIPTS += tests/image/beliefs.sh tests/image/boot.sh tests/image/check-config.sh tests/image/control.sh tests/image/features.sh tests/image/files.sh tests/image/patches.sh \
	tests/image/port.sh tests/image/reading.sh tests/image/round-trips.sh tests/image/sockets.sh tests/image/submounts.sh
dist_noinst_SCRIPTS += scripts/guest guest/kernel/check-config
EXTRA_DIST += tests/image/lib.sh tests/image/beliefs.c tests/image/control.c tests/image/features.c tests/image/files.c tests/image/init.c tests/image/port.c tests/image/round-trips.c \
	tests/image/reading.c tests/image/answer.c tests/image/answer.h tests/image/served.c tests/image/served.h tests/image/sockets.c tests/image/submounts.c \
	tests/image/tap.c tests/image/tap.h tests/image/tsc.c \
	guest/kernel/config guest/kernel/patches images/cmdline images/initramfs.list
