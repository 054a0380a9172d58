# The file server, driven through this machine's own FUSE
check_PROGRAMS += mount-local
mount_local_SOURCES = tests/files/mount-local.c
mount_local_CFLAGS = $(AM_CFLAGS)
mount_local_LDADD = $(DEPUTY_LIBS) $(COMMON_LIBS)
