#!/bin/bash
# sqlite - two processes of one job share a database: 20,000 rows in 20 transactions, integrity and sum hold, moved or not
. "$(dirname "$0")/../lib.sh"
requires sqlite3
rig_up 3
cat >"$work/writers.sh" <<'SCRIPT'
rm -f db db-*
sqlite3 db 'create table t(a integer primary key, w integer, v integer)'
writer() {
    for round in 1 2 3 4 5 6 7 8 9 10; do
        { echo '.timeout 60000'; echo 'begin immediate;'
          i=1; while [ $i -le 1000 ]; do echo "insert into t(w, v) values($1, $i);"; i=$((i + 1)); done
          echo 'commit;'; } | sqlite3 db || exit 1
    done
}
writer 1 & one=$!
writer 2 & two=$!
wait $one || exit 1
wait $two || exit 1
sqlite3 db 'pragma integrity_check; select count(*), sum(v) from t; select w, count(*), sum(v) from t group by w'
SCRIPT
same sqlite 10 '' sh writers.sh
grep -q '^20000|10010000$' "$work/sqlite.moved.out" || fail "the sum is wrong"
echo "ok - sqlite"
