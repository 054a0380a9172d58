# Unit tests: GLib test programs that print TAP-like results; each is one program and one file.
UNIT_LDADD = $(COMMON_LIBS)

UNIT_TESTS += test-landlock
check_PROGRAMS += test-landlock
test_landlock_SOURCES = tests/unit/test-landlock.c
test_landlock_LDADD = $(UNIT_LDADD)
