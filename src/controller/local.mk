# sojournd: the node's controller
pkglibexec_PROGRAMS += sojournd
sojournd_SOURCES = \
	src/controller/admin.c src/controller/admin.h \
	src/controller/adoption.c src/controller/adoption.h \
	src/controller/arrival.c src/controller/arrival.h \
	src/controller/balancer.c src/controller/balancer.h src/controller/balancer-orders.c \
	src/controller/balancer-places.c src/controller/balancer-private.h \
	src/controller/calls.c src/controller/calls.h \
	src/controller/check.c src/controller/check.h \
	src/controller/claim.c src/controller/claim.h \
	src/controller/codec.c src/controller/codec.h \
	src/controller/commands.c src/controller/commands.h \
	src/controller/control.c src/controller/control.h \
	src/controller/departure.c src/controller/departure.h \
	src/controller/deputies.c src/controller/deputies.h \
	src/controller/doctor.c src/controller/doctor.h \
	src/controller/evacuation.c src/controller/evacuation.h \
	src/controller/events.c src/controller/events.h \
	src/controller/groups.c src/controller/groups.h \
	src/controller/hosted.c src/controller/hosted.h src/controller/hosted-private.h \
	src/controller/hosted-doubt.c src/controller/hosted-link.c src/controller/hosted-start.c \
	src/controller/hosts.c src/controller/hosts.h \
	src/controller/image.c src/controller/image.h \
	src/controller/jobs.c src/controller/jobs.h \
	src/controller/forecast.c src/controller/forecast.h \
	src/controller/load.c src/controller/load.h \
	src/controller/main.c \
	src/controller/migration.c src/controller/migration.h src/controller/migration-commit.c src/controller/migration-why.c \
	src/controller/node.c src/controller/node.h \
	src/controller/relay.c src/controller/relay.h \
	src/controller/shape.c src/controller/shape.h \
	src/controller/spare.c src/controller/spare.h \
	src/controller/standing.c src/controller/standing.h \
	src/controller/tally.c src/controller/tally.h \
	src/controller/template.c src/controller/template.h \
	src/controller/unowned.c src/controller/unowned.h \
	src/controller/verdict.c src/controller/verdict.h \
	src/controller/web.c src/controller/web.h \
	src/controller/web-guard.c src/controller/web-guard.h \
	src/controller/web-listen.c src/controller/web-listen.h \
	src/controller/web-measure.c src/controller/web-measure.h \
	src/controller/web-metrics.c src/controller/web-metrics.h \
	src/controller/web-past.c src/controller/web-past.h \
	src/controller/web-session.c src/controller/web-session.h \
	src/controller/web-view.c src/controller/web-view.h \
	$(NULL)
nodist_sojournd_SOURCES = web-files.c
sojournd_CFLAGS = $(AM_CFLAGS) $(ZSTD_CFLAGS) $(SOUP_CFLAGS)
sojournd_LDADD = $(BALANCE_LIBS) $(HYPERVISOR_LIBS) $(CLUSTER_LIBS) $(COMMON_LIBS) $(ZSTD_LIBS) $(SOUP_LIBS)

# The page of the HTTP view, compiled in
WEB_FOLDER = $(top_srcdir)/src/controller/web
WEB_FILES = app.js charts.js circle.js icon.svg index.html layout.js model.js panel.js style.css
EXTRA_DIST += src/controller/web
CLEANFILES += web-files.c
web-files.c: $(WEB_FOLDER)/files.xml $(WEB_FILES:%=$(WEB_FOLDER)/%)
	$(AM_V_GEN)$(GLIB_COMPILE_RESOURCES) --sourcedir=$(WEB_FOLDER) --generate-source --internal --target=$@ $<
