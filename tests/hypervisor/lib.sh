# lib.sh - nodes without a controller: sourced by the tests of this folder
#
# node_up NAME starts a supervisor whose sojournd is the program hv; hv NAME ACTION... does one thing to a guest there.
# Root's nodes run as nobody. Whatever happens, nothing is left behind. Exit status 77: skipped, with the reason.
set -eu

b=${G_TEST_BUILDDIR:-$PWD}
nodes=
user=
[ "$(id -u)" != 0 ] || user=nobody
w=$(mktemp -d /tmp/sjh.XXXXXX)
chmod 755 "$w"

note() { echo "# $*"; }
fail() {
    echo "not ok: $*" >&2
    for n in $nodes; do
        for f in "$w/$n"/r/log/*.log "$w/$n.out"; do
            [ ! -f "$f" ] || { echo "--- $f" >&2; tail -n 15 "$f" >&2; }
        done
    done
    exit 1
}
skip() { echo "skipped: $*"; exit 77; }
need() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || skip "$1 is missing: install $2"; }
as_user() { if [ -n "$user" ]; then setpriv --reuid "$user" --regid nogroup --clear-groups --inh-caps=-all "$@"; else "$@"; fi; }

clean_up() {
    status=$?
    trap - EXIT INT TERM
    for n in $nodes; do node_down "$n" || true; done
    rm -rf "$w"
    exit $status
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# wait_until SECONDS COMMAND...: tries it each 0.1 s
wait_until() {
    tries=$(($1 * 10))
    shift
    while ! "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

need libvirtd libvirt-daemon-system
need qemu-system-x86_64 qemu-system-x86
[ -x "$b/hv" ] || skip "hv is not built: make check builds it"
mkdir "$w/lib"
cp "$b/hv" "$w/lib/sojournd"

# The image that make has built, or that of $SOJOURN_IMAGES, where nobody can read it.
need_image() {
    images=${SOJOURN_IMAGES:-$b/images}
    for f in initramfs.cpio initramfs; do [ ! -f "$images/x86_64/$f" ] || initramfs=$images/x86_64/$f; done
    [ -f "$images/x86_64/vmlinux" ] && [ -n "${initramfs:-}" ] ||
        skip "there is no guest image in $images: scripts/guest builds one"
    mkdir -p "$w/images/x86_64"
    cp "$images/x86_64/vmlinux" "$w/images/x86_64/vmlinux"
    cp "$initramfs" "$w/images/x86_64/initramfs"
    chmod -R a+rX "$w/images"
}

settings() { echo --run-dir "$w/$1/r" --state-dir "$w/$1/s" --image-dir "$w/images" --libexec-dir "$w/lib"; }

node_start() {
    # shellcheck disable=SC2046
    setsid "$b/sojourn-supervisor" ${user:+--user $user} $(settings "$1") </dev/null >>"$w/$1.out" 2>&1 &
}

node_up() {
    nodes="$nodes $1"
    mkdir -p "$w/$1" "$w/images"
    node_start "$1"
    wait_until 10 test -S "$w/$1/r/lv/libvirt-sock" || fail "libvirtd of $1 did not start"
}

pid_of() { cat "$w/$1/r/$2.pid" 2>/dev/null || echo 0; }
alive() { [ "$1" != 0 ] && kill -0 "$1" 2>/dev/null; }
dead() { ! alive "$1"; }

node_down() {
    pid=$(pid_of "$1" supervisor)
    ! alive "$pid" || kill -USR1 "$pid"
    wait_until 10 dead "$pid"
}

# shellcheck disable=SC2046
hv() {
    n=$1
    shift
    as_user "$w/lib/sojournd" $(settings "$n") "$@"
}

qemu_pid() { cat "$w/$1/r/lv/libvirt/qemu/run/sojourn-$2.pid" 2>/dev/null || echo 0; }
state_of() { hv "$1" list | sed -n "s/^$2 \([a-z]*\) .*/\1/p"; }
