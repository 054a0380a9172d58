#!/bin/bash
# ids.sh - a job of root whose processes change their user: each has its own rights at home
. "$(dirname "$0")/lib.sh"
requires setpriv python3

empty_home
mkdir "$work/home/private" "$work/home/sticky" "$work/home/setgid"
echo secret >"$work/home/private/f"
chmod 644 "$work/home/private/f"
chmod 700 "$work/home/private"
chmod 1777 "$work/home/sticky"
chgrp 65534 "$work/home/setgid"
chmod 2777 "$work/home/setgid"
echo root >"$work/home/sticky/roots"
echo no >"$work/home/denied"
chmod 600 "$work/home/denied"
python3 - "$work/home" <<'END'
import os, struct, sys
open(sys.argv[1] + "/acl", "w").write("by acl")
os.chmod(sys.argv[1] + "/acl", 0o600)
os.setxattr(sys.argv[1] + "/acl", "system.posix_acl_access",
            struct.pack("<I" + "HHI" * 5, 2, 1, 6, 0xffffffff, 2, 4, 1234, 4, 0, 0xffffffff, 16, 4, 0xffffffff, 32, 0, 0xffffffff))
END
cat >"$work/run" <<'END'
cd "$1"
as() { local u=$1; shift; setpriv --reuid "$u" --regid "$u" --clear-groups "$@"; }
cat private/f denied
as 65534 cat private/f 2>&1 | sed 's/.*: //'
as 65534 cat denied 2>&1 | sed 's/.*: //'
as 65534 sh -c 'umask 027; echo mine >sticky/mine; mkdir setgid/d; stat -c "%U %u %g %a" sticky/mine setgid/d'
as 65534 rm -f sticky/roots 2>&1 | sed 's/.*: //'
as 1234 cat acl
as 1235 cat acl 2>&1 | sed 's/.*: //'
as 1235 test -r acl || echo not readable
as 65534 chown 0 sticky/mine 2>&1 | sed 's/.*: //'
as 65534 mknod sticky/null c 1 3 2>&1 | sed 's/.*: //'
chown 1234:1234 sticky/mine; stat -c "%u %g" sticky/mine
echo by root >sticky/second; stat -c "%u %g" sticky/second
chmod 4755 sticky/mine; as 1234 sh -c 'echo more >>sticky/mine'; stat -c %a sticky/mine
with() { setpriv --reuid 65534 --regid 65534 --groups "$1" "${@:2}"; }
mkdir group; chown 1234:777 group; chmod 770 group; echo for the group >group/f; chown 1234:777 group/f; chmod 640 group/f
with 777,5 cat group/f
with 5 cat group/f 2>&1 | sed 's/.*: //'
with 777 sh -c 'echo x >group/new && mkdir group/d && mv group/new group/d/old && ln group/d/old group/again && stat -c "%u %g" group/again'
with 777 sh -c 'echo x >>group/f' 2>&1 | sed 's/.*: //'
with 777,778 chgrp 778 group/again; stat -c "%u %g" group/again
with 777 chgrp 779 group/again 2>&1 | sed 's/.*: //'
with 778 rm -f group/again 2>&1 | sed 's/.*: //'
rm -r sticky setgid group
END
cp -a "$work/home" "$work/copy"
setpriv --clear-groups bash "$work/run" "$work/copy" >"$work/native" 2>&1
served --switch-ids -- bash "$work/run" "$job" >"$work/served" 2>&1 || fail "the program failed"
diff "$work/native" "$work/served" || fail "a result differs"
echo "ok - $(wc -l <"$work/native") results"
