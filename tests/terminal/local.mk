# Shells and screens of a rig, skipped without a guest image
dist_noinst_SCRIPTS += tests/terminal/screens.sh tests/terminal/session.sh tests/terminal/terminal.sh
EXTRA_DIST += tests/terminal/lib.sh tests/terminal/terminal.py
