#!/bin/bash
# refuse.sh - what a job does not get at: home's /proc, /sys, /dev, what is outside its root, what it may only read
. "$(dirname "$0")/lib.sh"

# A second tmpfs, a read-only one, a bind mount, and proc at an odd place, in a namespace of the test's own
if [ -z "${IN_NAMESPACE-}" ]; then
    IN_NAMESPACE=1 unshare -m --propagation private bash "$0" "$@" || exit $?
    exit 0
fi
mkdir -p "$work/home/second" "$work/home/odd" "$work/home/bound" "$work/home/d"
mount -t tmpfs none "$work/home/second" || skip "cannot mount"
mount -t proc none "$work/home/odd"
mount --bind "$work/home/d" "$work/home/bound"
at_exit "umount $work/home/second $work/home/odd $work/home/bound"
echo inside >"$work/home/d/f"
mkdir "$work/home/second/s"

cat >"$work/look" <<'END'
cd "$1"
for d in proc sys dev; do
    [ -z "$(ls -A "$2/$d")" ] || echo "$d is not empty"
    [ -d "$2/$d/self" ] && echo "$d has something in it"
done
[ -z "$(ls -A odd)" ] || echo "a proc elsewhere is not empty"
cat odd/self/mem 2>/dev/null && echo "mem was read"
[ -d second/s ] || echo "a tmpfs is not there"
[ "$(cat bound/f)" = inside ] || echo "a bind mount is not there"
mv d/f second/ || echo "mv between file systems"
ln second/f d/f 2>/dev/null && echo "a link between file systems"
mkdir odd/x 2>/dev/null && echo "something was made in proc"
stat -f odd >/dev/null || echo "statfs of a refused file system"
mknod null c 1 3 2>/dev/null && { : <null; } 2>/dev/null && echo "a device was opened"
rm -f null
END
served -- sh "$work/look" "$job" "$work/mnt" >"$work/out" 2>"$work/err"
[ ! -s "$work/out" ] || { cat "$work/out"; fail "a refusal"; }

# --root: nothing above it
mkdir -p "$work/home/jail/in"
echo secret >"$work/home/secret"
ln -s ../secret "$work/home/jail/up"
ln -s "$work/home/secret" "$work/home/jail/absolute"
mkdir "$work/jailed"
"$build/mount-local" --root "$work/home/jail" "$work/jailed" sh -c "
    cat $work/jailed/up && echo up; ls $work/jailed/..; cd $work/jailed/in && cat ../../secret && echo above; true" >"$work/out" 2>/dev/null
grep -q secret "$work/out" && grep -q '^up$\|^above$' "$work/out" && fail "out of the root"

# --read-only: EROFS for each modification, reading as ever
echo text >"$work/home/f"
served --read-only -- python3 - "$job" >"$work/out" <<'END'
import errno, os, sys
os.chdir(sys.argv[1])
R = [lambda: os.open("f", os.O_WRONLY), lambda: os.open("f", os.O_RDONLY | os.O_TRUNC), lambda: os.open("n", os.O_CREAT | os.O_WRONLY),
     lambda: os.mkdir("n"), lambda: os.unlink("f"), lambda: os.rename("f", "g"), lambda: os.symlink("x", "n"), lambda: os.link("f", "n"),
     lambda: os.chmod("f", 0o600), lambda: os.chown("f", 1, 1), lambda: os.utime("f"), lambda: os.truncate("f", 0), lambda: os.mkfifo("n"),
     lambda: os.setxattr("f", "user.a", b"v"), lambda: os.removexattr("f", "user.a"), lambda: os.rmdir("d"),
     lambda: os.open(".", os.O_TMPFILE | os.O_RDWR)]
for i, r in enumerate(R):
    try:
        r()
        print("modification", i, "was allowed")
    except OSError as e:
        if e.errno != errno.EROFS:
            print("modification", i, "gave", e)
if open("f").read() != "text\n" or os.access("f", os.W_OK) or not os.access("f", os.R_OK):
    print("reading")
fd = os.open("f", os.O_RDONLY | os.O_CREAT)
END
[ ! -s "$work/out" ] || { cat "$work/out"; fail "read-only"; }

# rights: a file that the user may not read at home cannot be read
echo secret >"$work/home/private"
chmod 600 "$work/home/private"
served --uid 65534 -- cat "$job/private" 2>/dev/null && fail "a private file was read"
echo "ok"
