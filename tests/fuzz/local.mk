# Fuzz targets: run over their seeds in make check; linked with libFuzzer by --enable-fuzzers (clang).
# To add one: a paragraph like the last, and seeds in tests/fuzz/seeds/NAME for fuzz-NAME.
FUZZ_TARGETS =
if FUZZERS
FUZZ_DRIVER =
FUZZ_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
FUZZ_DRIVER = tests/fuzz/driver.c
FUZZ_LDFLAGS = $(AM_LDFLAGS)
TESTS += $(FUZZ_TARGETS)
endif
check_PROGRAMS += $(FUZZ_TARGETS)
EXTRA_DIST += tests/fuzz/seeds

FUZZ_TARGETS += fuzz-wire
fuzz_wire_SOURCES = tests/fuzz/fuzz-wire.c src/common/wire.c src/common/wire.h $(FUZZ_DRIVER)
fuzz_wire_LDFLAGS = $(FUZZ_LDFLAGS)
