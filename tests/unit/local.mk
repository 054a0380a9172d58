# Unit tests: GLib test programs that print TAP-like results; each is one program and one file.
UNIT_LDADD = $(COMMON_LIBS)

UNIT_TESTS += test-landlock
check_PROGRAMS += test-landlock
test_landlock_SOURCES = tests/unit/test-landlock.c
test_landlock_LDADD = $(UNIT_LDADD)

UNIT_TESTS += test-arbiter
check_PROGRAMS += test-arbiter
test_arbiter_SOURCES = tests/unit/test-arbiter.c src/deputy/arbiter.c src/deputy/arbiter.h
test_arbiter_LDADD = $(GLIB_LIBS)
