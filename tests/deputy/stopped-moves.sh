#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# stopped-moves.sh - a job stopped with Ctrl-Z is migrated, continued with fg, and reads what is typed then
. "$(dirname "$0")/../lib.sh"
rig_up 2
/usr/bin/python3 -B - "$(dirname "$0")" "$top/scripts/rig" <<'END' || fail "the job did not survive"
import sys, time
sys.path.insert(0, sys.argv[1])
import harness
shell = harness.Shell(sys.argv[2], "on", "node1", cwd="/tmp")
shell.type("sojourn run --name z sh -c 'echo up; read x; echo got $x; exit 4'\n")
shell.expect("\r\nup\r\n")
shell.type("\x1a")
shell.expect("Stopped")
shell.expect("@@ ")
shell.type("sojourn migrate z node2; echo st=$?\n")
shell.expect("\r\nst=0\r\n")
shell.expect("@@ ")
shell.type("fg\n")
shell.expect("fg\r\nsojourn run")
time.sleep(0.5)
shell.type("line\n")
shell.expect("got line")
shell.expect("@@ ")
shell.type("echo st=$?\n")
shell.expect("\r\nst=4\r\n")
shell.close()
END
echo ok
