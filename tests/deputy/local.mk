# The deputy under a controller without libvirt: needs a guest image, skipped without one
dist_noinst_SCRIPTS += tests/deputy/descriptors.sh tests/deputy/linger.sh \
	tests/deputy/signals.sh tests/deputy/stopped-moves.sh tests/deputy/streams.sh tests/deputy/terminal.sh
EXTRA_DIST += tests/deputy/fake-controller tests/deputy/harness.py tests/deputy/descriptors.py \
	tests/deputy/signals.py tests/deputy/streams.py tests/deputy/terminal.py
