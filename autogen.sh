#!/bin/sh
# Makes ./configure, and runs it with the given options unless NOCONFIGURE is set.
set -e
cd "$(dirname "$0")"
mkdir -p m4 build-aux
autoreconf -fi
test -n "$NOCONFIGURE" || ./configure "$@"
