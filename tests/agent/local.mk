# The agent in a bare QEMU, with a home that is a test program: skipped where there is no image
check_PROGRAMS += tests/agent/home
tests_agent_home_SOURCES = tests/agent/home.c
tests_agent_home_CFLAGS = $(AM_CFLAGS)
tests_agent_home_LDADD = $(DEPUTY_LIBS) $(COMMON_LIBS)
SHELL_TESTS += tests/agent/agent.sh
dist_check_SCRIPTS += tests/agent/agent.sh
