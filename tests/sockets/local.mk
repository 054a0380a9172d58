# The job's sockets at home: on a rig, skipped without a guest image
dist_noinst_SCRIPTS += tests/sockets/cut.sh tests/sockets/fifo.sh tests/sockets/home.sh tests/sockets/local-names.sh \
	tests/sockets/moving.sh tests/sockets/names.sh tests/sockets/nat.sh tests/sockets/transfer.sh
EXTRA_DIST += tests/sockets/lib.sh tests/sockets/datagrams.py tests/sockets/fifo.py tests/sockets/local-names.py tests/sockets/nat.py tests/sockets/peer.py
