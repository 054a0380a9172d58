# sojourn: the commands
bin_PROGRAMS += sojourn
sojourn_SOURCES = \
	src/cli/ask.c src/cli/ask.h \
	src/cli/chart.c src/cli/chart.h \
	src/cli/client.c src/cli/client.h \
	src/cli/cmd.h \
	src/cli/cmd-attach.c \
	src/cli/cmd-cluster.c \
	src/cli/cmd-doctor.c \
	src/cli/cmd-evacuate.c \
	src/cli/cmd-events.c \
	src/cli/cmd-group.c \
	src/cli/cmd-help.c \
	src/cli/cmd-history.c \
	src/cli/cmd-kill.c \
	src/cli/cmd-list.c \
	src/cli/cmd-lock.c \
	src/cli/cmd-migrate.c \
	src/cli/cmd-nodes.c \
	src/cli/cmd-procfs.c \
	src/cli/cmd-run.c \
	src/cli/cmd-show.c \
	src/cli/cmd-standing.c \
	src/cli/cmd-suspend.c \
	src/cli/cmd-top.c \
	src/cli/cmd-wait.c \
	src/cli/cmd-web.c \
	src/cli/cmd-why.c \
	src/cli/fields.c src/cli/fields.h \
	src/cli/group.c src/cli/group.h \
	src/cli/main.c \
	src/cli/migrated.c src/cli/migrated.h \
	src/cli/procfs.c src/cli/procfs.h src/cli/procfs-remote.c \
	src/cli/progress.c src/cli/progress.h \
	src/cli/shell.c src/cli/shell.h \
	src/cli/table.c src/cli/table.h \
	$(NULL)
sojourn_CFLAGS = $(AM_CFLAGS) $(FUSE_CFLAGS) $(READLINE_CFLAGS) $(NCURSES_CFLAGS)
sojourn_LDADD = $(DEPUTY_LIBS) $(COMMON_LIBS) $(READLINE_LIBS) $(NCURSES_LIBS) -lm

# The rig is scripts/rig in the tree, and sojourn-rig where it is installed
EXTRA_DIST += scripts/rig
bin_SCRIPTS = sojourn-rig
CLEANFILES += sojourn-rig
sojourn-rig: $(top_srcdir)/scripts/rig
	$(AM_V_GEN)cp $(top_srcdir)/scripts/rig $@ && chmod +x $@

SHELL_TESTS += tests/cli/commands.sh tests/cli/shell.sh
dist_check_SCRIPTS += tests/cli/attach.sh tests/cli/commands.sh tests/cli/shell.sh tests/cli/procfs.sh tests/cli/rig.sh tests/cli/canned-controller
EXTRA_DIST += tests/cli/answers.json tests/cli/talk.py

# openMosix's old names: one program, and links to it in a folder of their own, for PATH
bin_PROGRAMS += sojourn-openmosix
sojourn_openmosix_SOURCES = \
	src/cli/client.c src/cli/client.h \
	src/cli/cmd.h \
	src/cli/compat.c src/cli/compat.h \
	src/cli/compat-group.c \
	src/cli/compat-map.c \
	src/cli/compat-mosctl.c \
	src/cli/compat-run.c \
	src/cli/compat-watch.c \
	src/cli/group.c src/cli/group.h \
	src/cli/migrated.c src/cli/migrated.h \
	src/cli/progress.c src/cli/progress.h \
	$(NULL)
sojourn_openmosix_LDADD = $(DEPUTY_LIBS) $(COMMON_LIBS)
OLD_NAMES = cpujob fastdecay iojob joingroup migrate migrategroup mon mosctl mosmon mosrun mps mtop nodecay nomig omdiscd \
	resetgroup runhome runon setpe showgroup showmap slowdecay

all-local: openmosix/.made
openmosix/.made: src/cli/local.mk
	$(AM_V_GEN)mkdir -p openmosix && for name in $(OLD_NAMES); do ln -sf ../sojourn-openmosix openmosix/$$name; done && touch $@
clean-local:
	rm -rf openmosix
install-exec-hook:
	mkdir -p $(DESTDIR)$(pkglibexecdir)/openmosix
	for name in $(OLD_NAMES); do ln -sf $(bindir)/sojourn-openmosix $(DESTDIR)$(pkglibexecdir)/openmosix/$$name; done
uninstall-hook:
	rm -rf $(DESTDIR)$(pkglibexecdir)/openmosix
SHELL_TESTS += tests/cli/openmosix.sh tests/cli/top.sh
dist_check_SCRIPTS += tests/cli/openmosix.sh tests/cli/top.sh tests/cli/web.sh
EXTRA_DIST += tests/cli/web.py tests/cli/web-model.mjs tests/cli/web-page.py
