# shellcheck shell=sh disable=SC2016
# topologies: loopback hwdom
# make check: hwdom, where the owner is another domain; loopback has the same waits and messages
# time limit: 900
#
# The owner of the devices is not there, is the wrong one, or goes away: each command
# fails within 10 s, with a message that names the domain and says what to check;
# nothing is half done, nothing local is taken instead, and when the owner is back the
# same command succeeds.

OWNER=$(xl pci-owner | cut -d' ' -f1)

# --- What is looked at ---

# attempt NAME COMMAND...: its output, and "status N after N ms", in files.
attempt() {
    attempt_name=$1
    shift
    attempt_start=$(centiseconds)
    "$@" >"/tmp/$attempt_name.out" 2>&1 && attempt_status=0 || attempt_status=$?
    echo "status $attempt_status after $((($(centiseconds) - attempt_start) * 10)) ms" \
        >"/tmp/$attempt_name.end"
}

# fails_in_time NAME "what" DOMID REGEX: that an attempt did, and what it had to say.
fails_in_time() {
    like "$2: $1 fails within 10 s" "$(cat "/tmp/$1.end")" '^status [1-9][0-9]? after [0-9]{1,4} ms$'
    like "$2: $1 says why, and what to check" "$(tr '\n' ' ' <"/tmp/$1.out")" "$4"
    [ -z "$3" ] || like "$2: $1 names the domain" "$(cat "/tmp/$1.out")" "[Dd]omain $3([^0-9]|$)"
}

states() { device_state "$E1000_BDF"; device_state "$EDU_BDF"; }

# each_fails "situation" DOMID REGEX: of list, add and remove, at once to save time.
each_fails() {
    attempt list xl pci-assignable-list &
    attempt add xl pci-assignable-add "$EDU_BDF" &
    attempt remove xl pci-assignable-remove -r "$E1000_BDF" &
    wait
    for each_name in list add remove; do
        fails_in_time "$each_name" "$1" "$2" "$3"
    done
    unlike "$1: no device is listed" "$(cat /tmp/list.out)" '^[0-9a-f]{4}:'
}

# works_again "situation": nothing was done, and now the same commands do it. Then back.
works_again() {
    is "$1: nothing was done" "$(states)" "$settled"
    is "$1: list works" "$(xl pci-assignable-list 2>&1)" "$E1000_BDF "
    ok "$1: add works" xl pci-assignable-add "$EDU_BDF"
    ok "$1: remove works" xl pci-assignable-remove -r "$E1000_BDF"
    is "$1: and they do what they say" "$(states)" \
        "driver=e1000 slots=0 quarantined=no rebind=- name=-
driver=pciback slots=1 quarantined=yes rebind=- name=-"
    xl pci-assignable-add "$E1000_BDF"
    xl pci-assignable-remove "$EDU_BDF"
    is "$1: and can be undone" "$(states)" "$settled"
}

not_running="xl pcid does not run in domain .* designated .*: start it, .* xl pci-owner"
no_answer="did not answer within .*: check that it runs.*stopped or paused"

xl pci-assignable-add "$E1000_BDF"
settled="driver=pciback slots=1 quarantined=yes rebind=e1000 name=-
driver=none slots=0 quarantined=no rebind=- name=-"
is "to start with, one device is assignable, the other is not" "$(states)" "$settled"

# --- Not there ---

pcid_stop
# In Dom0, with the end of the daemon that ends, and xl pci-owner refuses it.
xenstore-write /libxl/pcid/domid "$OWNER"
each_fails "not running" "$OWNER" "$not_running"
pcid_start
works_again "started"

pcid_stop KILL
each_fails "killed" "$OWNER" "$no_answer"
pcid_start
works_again "started after it was killed"

pcid_stop STOP
each_fails "stopped" "$OWNER" "$no_answer"
pcid_stop CONT
works_again "continued"

pcid_stop STOP
# One of them takes the channel that was made in advance.
attempt list xl pci-assignable-list &
attempt another xl pci-assignable-list &
waits() { xenstore-ls "/local/domain/$OWNER/data/pcid/$TOOLSTACK" | grep -q requested; }
ok "commands wait for a stopped daemon" wait_until 4 waits
pcid_stop CONT
wait
for command in list another; do
    like "$command: succeeds when that is continued" "$(cat /tmp/$command.end)" '^status 0 '
    is "$command: with the right answer" "$(cat /tmp/$command.out)" "$E1000_BDF "
done

if [ "$TOPOLOGY" = hwdom ]; then
    xl pause "$OWNER"
    each_fails "domain paused" "$OWNER" "$no_answer"
    xl unpause "$OWNER"
    works_again "domain unpaused"
fi

# What it does by hand in its own part of xenstore
asked="/local/domain/$OWNER/data/pcid/00/by-hand"
owner xenstore-write "$asked" requested
is "a directory that is no domain's: xl works" "$(xl pci-assignable-list)" "$E1000_BDF "
is "a directory that is no domain's: nothing is made for it" "$(owner xenstore-read "$asked")" requested
owner xenstore-rm "/local/domain/$OWNER/data/pcid"
wiped() { owner grep -q "/local/domain/$OWNER/data/pcid has been removed" /var/log/xen/xlpcid.log; }
ok "its nodes removed: the daemon notices" wait_until 10 wiped
works_again "its nodes removed"

# --- The wrong one ---

fails "xl pci-owner takes no domain that does not exist" xl pci-owner 999
is "the designation is as it was" "$(xl pci-owner | cut -d' ' -f1)" "$OWNER"

xenstore-write /libxl/pcid/domid 999
is "a domain that does not exist" "$(xl pci-owner)" "999 (no such domain)"
each_fails "no such domain" 999 "$not_running"

xenstore-write /libxl/pcid/domid nonsense
each_fails "no domain number" "" '/libxl/pcid/domid is "nonsense", not a domain ID: correct it with xl pci-owner'

ok "no domain number: a domain that has nothing to do with it can be built" guest_start idle
xl pci-owner "$OWNER"

xl domid idle >/dev/null 2>&1 || guest_start idle
idle=$(xl domid idle)
xl pci-owner idle
each_fails "a domain without daemon" "$idle" "$not_running"
xl destroy idle

xl pci-owner "$OWNER"
works_again "designated again"

# --- Lost while a command runs ---

# slow_write FILE: from now on, until it is lost, the daemon's processes come back from
# writing to this file late, when the kernel has long done it.
slow_write() {
    daemon=$(owner cat /var/run/xen/xlpcid.pid)
    pcid_slow "$1" delay_exit=3000000 || diag "strace does not trace the daemon"
}
no_strace() { ! owner pidof strace >/dev/null; }

# lost_when DRIVER SIGNAL: the daemon gets it as soon as the device has that driver ('' for
# none). All of that in the owner, so that it is in time.
lost_when() {
    owner sh -c '
        for i in $(seq 400); do
            driver=$(readlink "/sys/bus/pci/devices/$1/driver")
            [ "${driver##*/}" != "$2" ] || exec kill -s "$3" "$4"
            usleep 20000
        done
        exit 1
    ' sh "$E1000B_BDF" "$1" "$2" "$daemon" || diag "the device has not come to have driver '$1'"
    wait
}
lost="lost the connection .*check its log.*may have carried out"
silent="has sent nothing for .*may have been carried out.*check that it runs"
assignable="driver=pciback slots=1 quarantined=yes rebind=e1000 name=-"
free="driver=e1000 slots=0 quarantined=no rebind=- name=-"
drivers=/sys/bus/pci/drivers

slow_write $drivers/pciback/bind
attempt add xl pci-assignable-add "$E1000B_BDF" &
lost_when pciback KILL
fails_in_time add "killed in the middle" "$OWNER" "$lost"
wait_until 20 no_strace
pcid_start
ok "killed in the middle: the same add succeeds" xl pci-assignable-add "$E1000B_BDF"
is "killed in the middle: and the device is assignable" "$(device_state "$E1000B_BDF")" "$assignable"

slow_write $drivers/pciback/unbind
attempt remove xl pci-assignable-remove -r "$E1000B_BDF" &
lost_when "" KILL
fails_in_time remove "killed in the middle" "$OWNER" "$lost"
wait_until 20 no_strace
pcid_start
ok "killed in the middle: the same remove succeeds" xl pci-assignable-remove -r "$E1000B_BDF"
is "killed in the middle: and the device has its driver" "$(device_state "$E1000B_BDF")" "$free"

xl pci-assignable-add "$E1000B_BDF"
slow_write $drivers/e1000/bind
attempt remove xl pci-assignable-remove -r "$E1000B_BDF" &
lost_when e1000 KILL
fails_in_time remove "killed at the end" "$OWNER" "$lost"
wait_until 20 no_strace
pcid_start
ok "killed at the end: the same remove succeeds" xl pci-assignable-remove -r "$E1000B_BDF"
is "killed at the end: and the device has its driver" "$(device_state "$E1000B_BDF")" "$free"

slow_write $drivers/pciback/bind
attempt add xl pci-assignable-add "$E1000B_BDF" &
lost_when pciback STOP
fails_in_time add "stopped in the middle" "$OWNER" "$silent"
pcid_stop CONT
ok "stopped in the middle: the same add succeeds" xl pci-assignable-add "$E1000B_BDF"
is "stopped in the middle: and the device is assignable" "$(device_state "$E1000B_BDF")" "$assignable"

done_testing
