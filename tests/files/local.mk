# The file server, driven through this machine's own FUSE
check_PROGRAMS += mount-local files-ops files-churn
mount_local_SOURCES = tests/files/mount-local.c
mount_local_CFLAGS = $(AM_CFLAGS)
mount_local_LDADD = $(DEPUTY_LIBS) $(COMMON_LIBS)
files_ops_SOURCES = tests/files/ops.c
files_churn_SOURCES = tests/files/churn.c

SHELL_TESTS += tests/files/ops.sh tests/files/coherence.sh tests/files/programs.sh tests/files/refuse.sh \
	tests/files/ids.sh tests/files/load.sh tests/files/told.sh
EXTRA_DIST += tests/files/lib.sh tests/files/coherence.py tests/files/told.py
