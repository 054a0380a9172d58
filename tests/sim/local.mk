# The balancer on clusters that there are not. make check runs it small; docs/balancing.md says how its figures come about
check_PROGRAMS += sim
sim_SOURCES = tests/sim/sim.c tests/sim/arrivals.c tests/sim/arrivals.h tests/sim/plot.c tests/sim/plot.h \
	tests/sim/report.c tests/sim/report.h tests/sim/rows.c tests/sim/rows.h \
	tests/sim/world.c tests/sim/world.h
sim_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/sim
sim_LDADD = $(BALANCE_LIBS)
TESTS += sim
