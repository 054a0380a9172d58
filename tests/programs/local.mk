# Programs as they are, natively and in jobs; on a rig, skipped without a guest image or where a program is not installed
dist_noinst_SCRIPTS += tests/programs/arch.sh tests/programs/archive.sh tests/programs/compile.sh tests/programs/desktop.sh \
	tests/programs/git.sh tests/programs/mounts.sh tests/programs/others.sh tests/programs/postgres.sh tests/programs/python.sh \
	tests/programs/servers.sh tests/programs/sqlite.sh tests/programs/ssh.sh tests/programs/streams.sh tests/programs/verbs.sh
EXTRA_DIST += tests/programs/postgres-lib.sh tests/programs/servers.py

# A web server and a database in jobs for ten minutes, a migration of each every five seconds
check-servers-long: all
	SOJOURN_BUILD=$(abs_top_builddir) SERVE=$${SERVE:-600} $(srcdir)/tests/programs/servers.sh
.PHONY: check-servers-long
