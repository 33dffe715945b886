# shellcheck shell=sh disable=SC2016,SC2015,SC2048,SC2154
# topologies: loopback hwdom
# make check: hwdom, where the owner is another domain; the daemon is the same in loopback
# time limit: 900
#
# A device hangs in the kernel while xl pcid is stopped, killed or restarted: the daemon
# leaves in time with the status and the log that xl(1) says, no process is left of it, and
# the same command succeeds when the device does not hang any more. Arguments choose steps.

drivers=/sys/bus/pci/drivers
log=/var/log/xen/xlpcid.log
leaves='xl pcid: the kernel is still busy with a device after 10 s: exiting'

daemon() { owner cat /var/run/xen/xlpcid.pid; }
processes() { owner sh -c 'for p in $(pidof xl); do tr "\0" " " <"/proc/$p/cmdline"; echo; done' | grep -c ' pcid '; }
none_left() { [ "$(processes)" = 0 ]; }
at_work() { [ "$(processes)" = 2 ]; }

# hold CALL FILE: the daemon's processes do not come back from CALL on FILE.
hold() {
    holder=$(owner -b strace -f -p "$(daemon)" -o /dev/null -P "$2" -e trace="$1" \
        -e "inject=$1:delay_enter=300000000")
    held() { owner grep -q "^TracerPid:[^0-9]*$holder\$" "/proc/$(daemon)/status"; }
    wait_until 10 held || fail "strace holds the daemon"
}
# strace has ended with what it traced, unless that goes on.
let_go() {
    owner kill "$holder" 2>/dev/null
    ended() { ! owner kill -0 "$holder" 2>/dev/null; }
    wait_until 20 ended || fail "strace ends"
}

# Each step: where it hangs, in which command, and what is true before it.
guest_config paused 'passthrough = "enabled"'
ok "there is a guest" xl create -p -q /run/paused.cfg
step_is() {
    case $1 in
        unbind) call=write file=$drivers/e1000/unbind command="pci-assignable-add $E1000B_BDF" ;;
        bind) call=write file=$drivers/pciback/bind command="pci-assignable-add $E1000B_BDF" ;;
        remove_slot)
            call=write file=$drivers/pciback/remove_slot
            command="pci-assignable-remove -r $E1000B_BDF"
            xl pci-assignable-add "$E1000B_BDF" 2>/dev/null ;;
        reset)
            call=openat file=/sys/bus/pci/devices/$EDU_BDF/reset command="pci-attach paused $EDU_BDF"
            xl pci-assignable-add "$EDU_BDF" 2>/dev/null ;;
    esac
}
# What the command has come to, once it has succeeded; and back.
step_done() {
    case $1 in
        unbind | bind)
            like "$2: and the device is assignable" "$(device_state "$E1000B_BDF")" '^driver=pciback slots=1'
            xl pci-assignable-remove -r "$E1000B_BDF" 2>/dev/null ;;
        remove_slot)
            like "$2: and the device has its driver" "$(device_state "$E1000B_BDF")" '^driver=e1000 slots=0' ;;
        reset)
            like "$2: and the guest has the device" "$(xl pci-list paused)" "$EDU_BDF"
            xl destroy paused
            xl create -p -q /run/paused.cfg ;;
    esac
}

# hang STEP "what": the command hangs there.
hang() {
    step_is "$1"
    hold "$call" "$file"
    # shellcheck disable=SC2086
    xl $command >/tmp/command.out 2>&1 &
    client=$!
    ok "$2: a process is at work" wait_until 20 at_work
}

# recovers STEP "what"
recovers() {
    wait "$client" && fail "$2: the command fails" || pass "$2: the command fails"
    like "$2: with the reason" "$(cat /tmp/command.out)" "lost the connection|is being stopped|may have carried out|may have been carried out"
    let_go
    ok "$2: no process is left" wait_until 10 none_left
    unlike "$2: no assertion" "$(owner cat $log)" 'Assertion|Aborted'
    pcid_start >/dev/null
    # shellcheck disable=SC2086
    ok "$2: the same command succeeds" xl $command
    step_done "$1" "$2"
}

for step in ${*:-unbind bind remove_slot reset}; do
    hang "$step" "$step, stopped"
    : "$(owner sh -c ": >$log")"
    timed pcid_stop TERM
    if [ "$status" -ne 0 ]; then
        # pcid_stop waits for 10 s, too.
        ok "$step, stopped: it ends" wait_until 5 none_left
    else
        pass "$step, stopped: it ends"
    fi
    within "$step, stopped: after 10 s" 9000 "$took" 16000
    like "$step, stopped: the log says so" "$(owner cat $log)" "^$leaves\$"
    recovers "$step" "$step, stopped"

    hang "$step" "$step, killed"
    ok "$step, killed: it ends" pcid_stop KILL
    recovers "$step" "$step, killed"

    hang "$step" "$step, restarted"
    ok "$step, restarted: it is" owner /etc/init.d/xlpcid restart
    ok "$step, restarted: another command is served meanwhile" xl pci-assignable-list
    wait "$client" && fail "$step, restarted: the command fails" || pass "$step, restarted: the command fails"
    let_go
    # shellcheck disable=SC2086
    ok "$step, restarted: the same command succeeds" xl $command
    step_done "$step" "$step, restarted"
    is "$step, restarted: there is one process" "$(processes)" 1
done

# --- Two signals, and the exit status ---

pcid_stop
options="-c $TOOLSTACK"
[ "$TOPOLOGY" = hwdom ] || options=--designate
owner -b sh -c 'xl pcid -F -p /var/run/xen/xlpcid.pid $1 2>/run/foreground.log; echo $? >/run/foreground.status' \
    sh "$options" >/dev/null
ready() { owner test -s /var/run/xen/xlpcid.pid; }
ok "a daemon in the foreground" wait_until 10 ready
hang bind "two signals"
owner kill "$(daemon)"
owner kill "$(daemon)"
# That of its process waits for strace.
has_left() { owner test -s /run/foreground.status; }
ok "two signals: it ends before the time that it waits after one" wait_until 9 has_left
is "two signals: with status 1" "$(owner cat /run/foreground.status)" 1
like "two signals: and says so" "$(owner cat /run/foreground.log)" '^xl pcid: a second signal, and the kernel is busy with a device: exiting'
recovers bind "two signals"

# A guest that ends gives its device back.
ok "the guest ends" xl destroy paused
done_testing
