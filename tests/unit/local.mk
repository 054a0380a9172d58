# Unit tests: GLib test programs that print TAP-like results; each is one program and one file.
UNIT_LDADD = $(COMMON_LIBS)
