#!/bin/bash
# differences.sh - what a job may see that is not as at home is what docs/transparency.md says, no less and no more
. "$(dirname "$0")/../lib.sh"
requires setpriv
rig_up 1
cp "$build/payload" "$work/"
at_exit "rm -f /dev/shm/payload-of-home"
touch /dev/shm/payload-of-home

# differences WAY COMMAND...
differences() {
    local way=$1; shift
    natively mkdir "$work/in.$way" "$work/partner.$way"
    natively ./payload --partner "$work/partner.$way" & partner=$!
    wait_until 10 test -e "$work/partner.$way/ready" || fail "the partner at home does not start"
    "$@" env -C "$work/in.$way" PAYLOAD_PARTNER="$work/partner.$way" PAYLOAD_HOME_PROCESS=$$ PAYLOAD_KERNEL="$(uname -r)" \
        PAYLOAD_PROCESSORS="$(getconf _NPROCESSORS_ONLN)" PAYLOAD_PAGES="$(getconf _PHYS_PAGES)" \
        "$work/payload" --differences >"$work/$way.out" </dev/null || fail "$way: $(cat "$work/$way.out")"
    : >"$work/partner.$way/stop"
    wait $partner
}
differences native natively
differences job on node1 sojourn run --

# The document's table of differences: | name | at home | in a job | why |
sed -n '/^## Differences/,$s/^| `\([a-z0-9-]*\)` | \([^|]*\) | \([^|]*\) |.*/\1|\2|\3/p' "$top/docs/transparency.md" \
    >"$work/table"
[ -s "$work/table" ] || fail "docs/transparency.md has no table of differences"
while IFS='|' read -r name home job; do
    [ "$home" != "$job" ] || { echo "# $name: that is no difference"; bad=1; }
    for way in "native:$home" "job:$job"; do
        found=$(sed -n "s/^$name: //p" "$work/${way%%:*}.out")
        [ "$found" = "${way#*:}" ] || { echo "# $name: ${way%%:*}: '$found', the document says '${way#*:}'"; bad=1; }
    done
done <"$work/table"
diff <(cut -d'|' -f1 "$work/table" | sort) <(cut -d: -f1 "$work/job.out" | sort) || { echo "# not the same names"; bad=1; }
[ -z "${bad-}" ] || fail "the document is not right"
echo "ok - $(wc -l <"$work/table") differences, as the document says"
