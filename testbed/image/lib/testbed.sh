# shellcheck shell=sh
# What a scenario has: TAP functions, and the names of the devices.
# shellcheck source=devices.sh
. /lib/devices.sh

tests=0
failures=0
planned=
finished=

# run COMMAND...: sets $output (stdout and stderr) and $status.
run() {
    output=$("$@" 2>&1) && status=0 || status=$?
}

# Not busybox's, which its shell prefers and which has no status of its own.
timeout() { /bin/timeout "$@"; }

diag() { printf '%s\n' "$*" | sed 's/^/# /'; }

pass() { tests=$((tests + 1)); echo "ok $tests - $1"; }

fail() {
    tests=$((tests + 1))
    failures=$((failures + 1))
    echo "not ok $tests - $1"
}

# ok "what" COMMAND...: passes if the command succeeds.
ok() {
    ok_what=$1
    shift
    run "$@"
    if [ "$status" -eq 0 ]; then
        pass "$ok_what"
    else
        fail "$ok_what"
        diag "status $status: $*"
        diag "$output"
    fi
}

# guests_find_devices: whether guests find the PCI devices that they have. Xen has no virtual
# PCI bus for guests on Arm yet: there they have access to them, and that is all.
guests_find_devices() { [ "$(uname -m)" != aarch64 ]; }

# guest_ok "what" COMMAND...: as ok, of what a guest does with its devices.
guest_ok() {
    if guests_find_devices; then
        ok "$@"
    else
        skip "$1" "Xen has no virtual PCI bus for guests on Arm yet"
    fi
}

# fails "what" COMMAND...: passes if the command fails in an orderly way, that is
# with an exit status from 1 to 123: no time limit, no signal, no missing command.
fails() {
    fails_what=$1
    shift
    run "$@"
    if [ "$status" -ge 1 ] && [ "$status" -le 123 ]; then
        pass "$fails_what"
    else
        fail "$fails_what"
        diag "status $status: $*"
        diag "$output"
    fi
}

# is "what" GOT WANTED
is() {
    if [ "$2" = "$3" ]; then
        pass "$1"
    else
        fail "$1"
        diag "got:    $2"
        diag "wanted: $3"
    fi
}

# like "what" GOT REGEX: an extended regular expression that one line matches.
like() {
    if printf '%s\n' "$2" | grep -Eq -e "$3"; then
        pass "$1"
    else
        fail "$1"
        diag "got:         $2"
        diag "not matched: $3"
    fi
}

# unlike "what" GOT REGEX
unlike() {
    if printf '%s\n' "$2" | grep -Eq -e "$3"; then
        fail "$1"
        diag "got:     $2"
        diag "matched: $3"
    else
        pass "$1"
    fi
}

# skip "what" "why"
skip() { tests=$((tests + 1)); echo "ok $tests - $1 # SKIP $2"; }

# has_part N "what": whether the series is there up to part N. Without it, "what" is skipped.
has_part() {
    [ "${PART:-$1}" -ge "$1" ] || { skip "$2" "in part $1 of the series"; return 1; }
}

# skip_all "why": this scenario has nothing to test here.
skip_all() {
    echo "1..0 # SKIP $1"
    finished=yes
    exit 0
}

# now: sets $now to the time since boot, in centiseconds. To start a process is what takes longest
# here, so it starts none.
now() {
    read -r now _ </proc/uptime
    now=${now%.*}${now#*.}
}

centiseconds() { now; echo "$now"; }

# wait_until SECONDS COMMAND...: repeat the command until it succeeds.
wait_until() {
    now
    wait_end=$((now + $1 * 100))
    shift
    until "$@"; do
        now
        [ "$now" -lt "$wait_end" ] || return 1
        usleep 100000
    done
}

# timed COMMAND...: as run, and sets $took, in milliseconds.
timed() {
    now
    timed_start=$now
    run "$@"
    now
    # shellcheck disable=SC2034
    took=$(((now - timed_start) * 10))
}

# within "what" LEAST NUMBER MOST
within() {
    if [ "$3" -ge "$2" ] && [ "$3" -le "$4" ]; then
        pass "$1"
    else
        fail "$1"
        diag "$3 is not within $2 and $4"
        diag "$output"
    fi
}

# have_unpatched: whether xl-plain is without the series, and there is something to compare.
have_unpatched() { ! xl-plain help | grep -q '^ *pcid '; }

# plan COUNT before the first test, or done_testing after the last.
plan() {
    planned=$1
    echo "1..$1"
}

# What FLASK denied since the last time: the permissions, and of whom to whom.
denials() {
    { cat /run/xen.log 2>/dev/null; xl-plain dmesg -c; } | tr -d '\r' |
        sed -nE 's/.*avc: +denied +\{ (.*) \} for (.*[^ ]) +scontext=.*:.*:(.*) tcontext=.*:.*:(.*) tclass=(.*)/\1: \3 \4:\5 (\2)/p'
    : >/run/xen.log
}

# Where FLASK is enforcing, a denial that no test has asked for is a failure.
done_testing() {
    [ "$VARIANT" != flask ] || is "FLASK has denied nothing else" "$(denials)" ""
    finished=yes
    echo "1..$tests"
}

# On exit. A test scenario (*.t.sh) must have got to its end; another is just a script.
finish() {
    finish_status=$?
    trap - EXIT
    if [ -n "$planned" ]; then
        [ "$planned" -eq "$tests" ] || fail "$planned tests were planned"
    elif [ -z "$finished" ]; then
        case $SCENARIO in
            *.t.sh) fail "the scenario ends with done_testing (it ended with $finish_status)" ;;
        esac
    fi
    if [ "$failures" -ne 0 ]; then
        diag "$failures of $tests failed"
        [ "$finish_status" -ne 0 ] || finish_status=1
    fi
    exit "$finish_status"
}
