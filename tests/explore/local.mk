# Every order of events of a migration, over the deputy's real arbiter and the controllers' real verdicts
UNIT_TESTS += explore
explore_SOURCES = tests/explore/explore.c tests/explore/model.c tests/explore/model.h \
	tests/explore/model-faults.c tests/explore/model-home.c tests/explore/model-nodes.c \
	tests/explore/model-private.h \
	src/deputy/arbiter.c src/controller/verdict.c
explore_LDADD = $(GLIB_LIBS)
