#!/bin/bash
# metrics.sh - the page of metrics: what is on it, who may read it, what becomes of those who
# ask for it badly, and of its process when something dies.
NAME=metrics
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../vsmd.sh"
if ! command -v curl >/dev/null; then
	echo "skip metrics: curl is not installed (scripts/deps test)"
	echo "metrics: 0 passed, 0 failed, 1 skipped"
	exit 77
fi
sock=$DIR/run/metrics.sock
page() { curl -sS --max-time 20 -o "$WORK/page" --unix-socket "$sock" http://localhost/metrics; }
# shows NAME EXPRESSION... of a page of now
shows() {
	local name=$1
	shift
	sleep 1.1 # a page is served again for a second
	page
	check "$name" python3 "$ROOT/tests/e2e/page.py" "$ROOT/vsmd/metrics/metrics.def" "$@" <"$WORK/page"
}
check() { # of lib.sh, with its standard input
	local name=$1 rc
	shift
	timeout -k 5 "$LIMIT" "$@" >"$WORK/out" 2>&1
	rc=$?
	if [ $rc = 0 ]; then ok "$name"; else bad "$name" "exit $rc: $(tail -n 1 "$WORK/out")"; fi
	return $rc
}
status() { curl -sS --max-time 20 -o "$WORK/body" -w '%{http_code}' --unix-socket "$sock" "$@" 2>"$WORK/err"; }
answers() { # NAME CODE curl's arguments...
	local name=$1 want=$2 got
	shift 2
	got=$(status "$@")
	if [ "$got" = "$want" ]; then ok "$name"; else bad "$name" "$got, not $want"; fi
}

settings "metrics = unix:$sock"
cat >>"$CONF" <<C
[principal me]
uid = $(id -un)
role = admin
[grant me *]
allow = all
mechanism-quota = CKM_SHA_1 1/s burst 1
C
if vsmd_up; then ok up; else bad up "$(_since | tail -n 3)"; fi
for i in $(seq 100); do [ -S "$sock" ] && break; sleep 0.05; done
check token "$CAAS" token create --label 'a"b\c' --pin 123456 --so-pin 12345678
app
ask init && ask 'token a"b\c' && ask open && ask "login user 111111"
ask "login user 123456" && ask "genec key" && ask "sign 200"
judge session CKR_OK
ask "find nothing"

shows page \
	"v('caas_requests_total', **{'class': 'use', 'result': 'ok'}) >= 200" \
	"v('caas_execution_seconds_count', **{'class': 'use'}) >= 200" \
	"v('caas_queue_seconds_count') == v('caas_execution_seconds_count')" \
	"0 < v('caas_execution_seconds_sum') < 100" \
	"v('caas_requests_total', **{'class': 'generate', 'result': 'ok'}) == 1" \
	"v('caas_wrong_pins_total') == 1" "v('caas_applications') == 1" \
	"v('caas_sessions') == 1" "v('caas_tokens') == 1" "v('caas_objects') == 2" \
	"v('caas_commits_total') >= 2" "v('caas_commits_possible') == 1" \
	"v('caas_anchor_fresh') == 1" "v('caas_anchor_age_seconds') < 100" \
	"v('caas_quota_refusals_total') == 0" "v('caas_uptime_seconds') < 1000"
check label-escaped grep -qF 'token="a\\x22b\\x5cc"' "$WORK/page"
if command -v promtool >/dev/null; then check promtool promtool check metrics <"$WORK/page"; fi

# Who may read it, and how
if [ "$(stat -c %a "$sock")" = 660 ]; then ok mode; else bad mode "$(stat -c %a "$sock")"; fi
answers get 200 http://localhost/metrics
answers head 200 -I http://localhost/metrics
answers elsewhere 404 http://localhost/
answers post 405 -d x http://localhost/metrics
answers put 405 -X PUT -d "$(head -c 100000 /dev/zero | tr '\0' a)" http://localhost/metrics
answers long-header 431 -H "X: $(head -c 60000 /dev/zero | tr '\0' a)" http://localhost/metrics
check bytes python3 -c "
import os, random, socket
for seed in range(60):
    s = socket.socket(socket.AF_UNIX)
    s.connect('$sock')
    s.settimeout(5)
    b = random.Random(seed).randbytes(200)
    s.sendall([b, b'GET /metrics HTTP/1.1\r\n' + b, b'GET /metrics'][seed % 3])
    s.close()"
answers get-still 200 http://localhost/metrics
# Of connections there are few at a time, and one more may be closed; once they have ended there
# is room again, and somebody who takes it.
check held python3 -c "
import socket
for i in range(8):
    s = [socket.socket(socket.AF_UNIX) for i in range(30)]
    for x in s: x.connect('$sock')
    for x in s: x.close()
" </dev/null
for i in $(seq 40); do
	[ "$(status --max-time 2 http://localhost/metrics)" = 200 ] && break
	sleep 0.1
done
answers get-after-held 200 http://localhost/metrics
check process-confined bash -c "p=\$(pgrep -s $VSMD -f '^vsmd-metrics' || ps -eo pid=,ppid=,args= |
	awk -v s=$VSMD '\$2 == s && \$3 ~ /^vsmd-metrics/ {print \$1}'); grep -qE '^Seccomp:\s+2' /proc/\$p/status"
not_logged no-signal 'killed by signal'

# Its process, a worker, the store end
pid() { ps -eo pid=,ppid=,args= | awk -v s="$VSMD" '$2 == s && $3 ~ /^vsmd-metrics/ { print $1 }'; }
old=$(pid)
kill -9 "$old"
for i in $(seq 100); do new=$(pid); [ -n "$new" ] && [ "$new" != "$old" ] && break; sleep 0.05; done
for i in $(seq 100); do page 2>/dev/null && break; sleep 0.05; done
kill -USR1 "$(vsmd_pids worker)"
expect_again worker-again CKR_OK "sign 1"
shows after-kills "v('caas_metrics_failures_total') == 1" "v('caas_worker_failures_total') == 1" \
	"v('caas_requests_total', **{'class': 'use', 'result': 'ok'}) >= 201" \
	"v('caas_applications') == 1" "v('caas_sessions') == 1"
kill -9 "$(vsmd_pids store)"
wait_logged 'the store is open again'
for i in $(seq 100); do page 2>/dev/null && break; sleep 0.05; done
expect_again store-again CKR_OK "sign 1"
shows after-store "v('caas_store_failures_total') == 1" \
	"v('caas_requests_total', **{'class': 'use', 'result': 'ok'}) >= 202"

# Moved to loopback by SIGHUP, and any other address refused
port=$(freeport)
sed -i "s|^metrics = .*|metrics = tcp:127.0.0.1:$port|" "$CONF"
kill -HUP "$VSMD"
waitport "$port"
check loopback curl -sS --max-time 20 -o "$WORK/page" "http://127.0.0.1:$port/metrics"
check loopback-page python3 "$ROOT/tests/e2e/page.py" "$ROOT/vsmd/metrics/metrics.def" <"$WORK/page"
sed "s|^metrics = .*|metrics = tcp:0.0.0.0:$port|" "$CONF" >"$WORK/conf.bad"
refuses any-address 1 "$CAAS" policy check "$WORK/conf.bad"
said any-address-says-so '127.0.0.1'
app_end
finish
