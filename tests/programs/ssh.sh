#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ssh.sh - ssh out of a job with home's agent, and into an sshd in a job; scp and rsync over it; jobs move meanwhile
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

PATH=$PATH:/usr/sbin:/sbin
requires sshd ssh ssh-agent ssh-keygen scp rsync
rig_up 3
port=$((21000 + ${RIG:-1} * 10)) # of the sshd at home; that of the job's is the next
natively ssh-keygen -q -t ed25519 -N '' -f key
natively ssh-keygen -q -t ed25519 -N '' -f host-key
natively cp key.pub authorized
cat >"$work/sshd.conf" <<END
ListenAddress 127.0.0.1
HostKey $work/host-key
AuthorizedKeysFile $work/authorized
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
AcceptEnv WORD
Subsystem sftp internal-sftp
END
# the key is the agent's alone: no file with it is named
cat >"$work/ssh.conf" <<END
Host home job
    HostName 127.0.0.1
    StrictHostKeyChecking no
    UserKnownHostsFile $work/known
    LogLevel ERROR
    ConnectTimeout 30
    SendEnv WORD
Host home
    Port $port
Host job
    Port $((port + 1))
END
agent=$(natively ssh-agent -a "$work/agent" -s | sed -n 's/^SSH_AGENT_PID=\([0-9]*\);.*/\1/p')
at_exit "kill $agent 2>/dev/null"
export SSH_AUTH_SOCK=$work/agent
natively ssh-add -q key || fail "the agent does not take the key"
natively rm key
answers() { natively timeout 40 ssh -F ssh.conf "$1" true; }
at_home /usr/sbin/sshd -D -e -f sshd.conf -p $port >"$work/sshd.log" 2>&1
wait_until 20 answers home || { cat "$work/sshd.log"; fail "no sshd at home"; }
head -c 4000000 /dev/urandom >"$work/data" && chmod 644 "$work/data"

# Out of a job: the same as natively, also moved
cat >"$work/out.sh" <<'END'
exec 2>&1
ssh-add -l | cut -c-11
ssh -F ssh.conf home 'cat; echo $WORD; echo err >&2; exit 7' <data >echo
echo $?
cmp -n 4000000 data echo && tail -c +4000001 echo
for i in 1 2 3 4 5 6; do ssh -F ssh.conf home "sleep 0.3; echo line $i" </dev/null; done
ssh -F ssh.conf -tt home 'tty | cut -c-9; test -t 0 && echo a terminal' </dev/null
END
export WORD=word
PATIENCE=90 PAUSE=0.3 same out 6 '' sh out.sh
grep -q 'line 6' "$work/out.native.out" || { cat "$work/out.native.out"; fail "natively"; }
note "out of a job: home's agent, streams, statuses, a terminal"

# Into a job: from home, over moves, and what comes after its end
on node1 sojourn run --on node2 --name server -- /usr/sbin/sshd -D -e -f sshd.conf -p $((port + 1)) >"$work/server.log" 2>&1 </dev/null & server=$!
wait_until 60 answers job || { cat "$work/server.log"; fail "no sshd in a job"; }
: >"$work/moves"
keep_moving server 1 node1 node2 & mover=$!
[ "$(natively timeout 60 ssh -F ssh.conf job cat <"$work/data" | sha256sum)" = "$(sha256sum <"$work/data")" ] || fail "cat in the job's sshd"
natively timeout 60 scp -q -F ssh.conf data job:"$work/copied" || fail "scp into a job"
natively timeout 60 scp -q -F ssh.conf job:"$work/copied" "$work/back" || fail "scp out of a job"
cmp "$work/data" "$work/back" || fail "scp changed something"
natively mkdir tree tree/a tree/b
natively sh -c 'for i in $(seq 100); do seq $i 999 >tree/a/$i; done; ln -s ../a/7 tree/b/link; ln tree/a/8 tree/b/hard; touch -d 2020-02-02 tree/b'
natively timeout 60 rsync -aH -e "ssh -F $work/ssh.conf" tree/ job:"$work/there/" || fail "rsync into a job"
natively timeout 60 rsync -aH -e "ssh -F $work/ssh.conf" job:"$work/there/" again/ || fail "rsync out of a job"
for copy in there again; do
    [ -z "$(natively timeout 60 rsync -aHc --delete -n -i tree/ $copy/)" ] || fail "rsync: $copy is not the same tree"
done
natively timeout 40 ssh -F ssh.conf -tt job tty </dev/null >"$work/tty" 2>&1
grep -q ^/dev/pts/ "$work/tty" || { cat "$work/tty"; fail "no terminal in the job's sshd"; }
wait_until 30 eval '[ "$(moves_made)" -ge 6 ]' || fail "only $(moves_made) migrations"
[ ! -s "$work/move-failures" ] || { cat "$work/migrate.log"; fail "a migration failed"; }
answers job || fail "the job's sshd is lost"
on node1 sojourn kill server
wait $server
wait $mover
! answers job 2>/dev/null || fail "the job's sshd answers after its end"
note "into a job: scp, rsync, a terminal, over $(moves_made) migrations"
echo "ok - ssh"
