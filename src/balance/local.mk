# What a node decides by itself about where jobs should be: pure functions, without GLib's main loop
noinst_LIBRARIES += libbalance.a
libbalance_a_SOURCES = \
	src/balance/balance.c src/balance/balance.h \
	src/balance/exodus.c src/balance/exodus.h \
	src/balance/gathering.c src/balance/gathering.h \
	src/balance/vector.c src/balance/vector.h \
	$(NULL)
libbalance_a_CFLAGS = $(AM_CFLAGS)
BALANCE_LIBS = libbalance.a $(COMMON_LIBS) -lm
