# Fuzz targets: run over their seeds in make check; linked with libFuzzer by --enable-fuzzers
