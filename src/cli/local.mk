# sojourn: the commands
bin_PROGRAMS += sojourn
sojourn_SOURCES = \
	src/cli/client.c src/cli/client.h \
	src/cli/cmd.h \
	src/cli/cmd-cluster.c \
	src/cli/cmd-doctor.c \
	src/cli/cmd-evacuate.c \
	src/cli/cmd-events.c \
	src/cli/cmd-help.c \
	src/cli/cmd-history.c \
	src/cli/cmd-kill.c \
	src/cli/cmd-list.c \
	src/cli/cmd-lock.c \
	src/cli/cmd-migrate.c \
	src/cli/cmd-nodes.c \
	src/cli/cmd-run.c \
	src/cli/cmd-show.c \
	src/cli/cmd-standing.c \
	src/cli/cmd-suspend.c \
	src/cli/cmd-wait.c \
	src/cli/cmd-why.c \
	src/cli/fields.c src/cli/fields.h \
	src/cli/main.c \
	src/cli/migrated.c src/cli/migrated.h \
	src/cli/progress.c src/cli/progress.h \
	src/cli/shell.c src/cli/shell.h \
	src/cli/table.c src/cli/table.h \
	$(NULL)
sojourn_CFLAGS = $(AM_CFLAGS) $(READLINE_CFLAGS)
sojourn_LDADD = $(DEPUTY_LIBS) $(COMMON_LIBS) $(READLINE_LIBS)

# The rig is scripts/rig in the tree, and sojourn-rig where it is installed
EXTRA_DIST += scripts/rig
bin_SCRIPTS = sojourn-rig
CLEANFILES += sojourn-rig
sojourn-rig: $(top_srcdir)/scripts/rig
	$(AM_V_GEN)cp $(top_srcdir)/scripts/rig $@ && chmod +x $@

SHELL_TESTS += tests/cli/commands.sh tests/cli/shell.sh
dist_check_SCRIPTS += tests/cli/commands.sh tests/cli/shell.sh tests/cli/rig.sh tests/cli/canned-controller
EXTRA_DIST += tests/cli/answers.json
