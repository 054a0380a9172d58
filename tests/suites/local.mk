# Foreign suites, run natively, in a job and in one that moves (HACKING.md). Not part of scripts/test: some take an hour.
dist_check_SCRIPTS += tests/suites/each tests/suites/fsx tests/suites/lists tests/suites/suite

# stress-ng: each stressor for a second; with FSX=PROGRAM also that fsx for 20 minutes
check-suites-long: all
	$(srcdir)/tests/suites/lists stress-ng >stress-ng.list
	SOJOURN_BUILD=$(abs_top_builddir) $(srcdir)/tests/suites/suite stress-ng.list
	[ -z "$$FSX" ] || SOJOURN_BUILD=$(abs_top_builddir) $(srcdir)/tests/suites/fsx "$$FSX"
.PHONY: check-suites-long
