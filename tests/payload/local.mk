# Payloads: small programs that make state, are moved, and verify it; each prints a line that begins with "verdict"
check_PROGRAMS += steady
steady_SOURCES = tests/payload/steady.c
steady_LDADD =
