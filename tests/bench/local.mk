# Figures against floors: tests/bench/run, by hand; it needs a rig and a guest image
EXTRA_DIST += tests/bench/run tests/bench/common.py tests/bench/report.py tests/bench/bare.py tests/bench/twins.py \
	tests/bench/stock.py tests/bench/criu.py tests/bench/jobs.py tests/bench/density.py tests/bench/goals.py \
	tests/bench/files.py tests/bench/sockets.py tests/bench/pump.c tests/bench/ticker.c tests/bench/stopwatch.c
