# lib.sh - the file server on this machine's own FUSE: what its tests share; source it first
SOJOURN_BUILD=${SOJOURN_BUILD:-${G_TEST_BUILDDIR:-}}
[ -n "$SOJOURN_BUILD" ] || unset SOJOURN_BUILD
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
here=$top/tests/files

[ "$(id -u)" = 0 ] || skip "only root may mount"
[ -c /dev/fuse ] || skip "no /dev/fuse"
[ -x "$build/mount-local" ] || skip "mount-local is not built (make check builds it)"
mkdir -p "$work/mnt" "$work/home"
job=$work/mnt$work/home

# served OPTION... -- PROGRAM...: the whole tree at $work/mnt, so that $work/home is $job
served() {
    local options=() status=0
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    "$build/mount-local" ${options[@]+"${options[@]}"} "$work/mnt" "$@" || status=$?
    [ $status != 77 ] || skip "this machine does not let us mount FUSE"
    return $status
}

# An empty $work/home that belongs to user $1.
empty_home() {
    rm -rf "$work/home"
    mkdir "$work/home"
    chown "${1:-0}:${1:-0}" "$work/home"
    chmod 755 "$work/home"
}
