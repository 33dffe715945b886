# shellcheck shell=sh disable=SC2016,SC2034,SC2154
# topologies: loopback hwdom
# make check: hwdom, where the peers are in other domains; the parsers are the same in loopback
# begins with: guest_start evil
# begins with: guest_start victim 'passthrough = "enabled"'
# time limit: 900
#
# Peers that do not keep to the protocol (src/hostile.c): clients that the daemon serves,
# a guest that it does not, and an owner. Each misbehaviour has its line below, with what is
# to come of it. The other side stays up, keeps nothing, and says once what was wrong; and
# no guest is given what was not checked.

. /lib/hostile-owner.sh

OWNER=$(xl pci-owner | cut -d' ' -f1)
OWNER_IS=$(xl pci-owner)
server=/local/domain/$OWNER/data/pcid
log=/var/log/xen/xlpcid.log
mkdir -p /tmp/hostile

guest_start evil
guest_start victim 'passthrough = "enabled"'
evil=$(xl domid evil)
victim=$(xl domid victim)
home=/local/domain/$evil/data

# --- What is looked at ---

# played ROLE LIST: each misbehaviour is in the list.
played() {
    is "each misbehaviour of the $1 is played" \
        "$(hostile list "$1" | cut -d: -f1 | grep -vxF -e "$(echo "$2" | cut -d' ' -f1)")" "$3"
}

xl pci-owner evil
guest_run evil hostile owner &
ok "a hostile owner publishes what a daemon does" wait_until 10 xenstore-exists "$home/pcid/$TOOLSTACK"

# This takes two minutes.
in_background progress-ever /tmp/hostile/ever xl pci-assignable-list
xl pci-owner "$OWNER"

# --- A client that may ask ---

# What the daemon has: the process, files and connections.
daemon=$(owner cat /var/run/xen/xlpcid.pid)
daemon_has() {
    owner sh -c 'cat /var/run/xen/xlpcid.pid; ls "/proc/$1/fd" | wc -l' sh "$daemon"
    # Whichever channel it is that has been made in advance
    xenstore-ls "$server/$TOOLSTACK" | sed -E 's/^@[0-9a-f]+/@/; s/= "[0-9]+"/= N/'
}
daemon_memory() { owner sed -n 's/VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$daemon/status"; }
daemon_said() { owner grep -Ec '^libxl: (warning|error)' "$log"; }
# libxl keeps what it opens for its first child.
hostile client "$OWNER" absent-unbind >/dev/null
had=$(daemon_has)
memory=$(daemon_memory)

# unharmed "what"
has_that() { [ "$(daemon_has)" = "$had" ]; }
unharmed() {
    ok "$1: the daemon still serves" timeout 10 xl pci-assignable-list
    wait_until 12 has_that
    is "$1: it is the same, and has what it had" "$(daemon_has)" "$had"
    within "$1: it has no more memory" 0 "$(daemon_memory)" $((memory + 2048))
}

# client_plays LIST: one after the other.
client_plays() {
    while read -r name wanted; do
        is "client, $name" "$(timeout 40 hostile client "$OWNER" "$name" 2>&1)" "$wanted"
    done <<END
$1
END
}

# These take up to 10 s: at once, and in the background.
late='unread closed
cons-back closed
no-connect taken back'
for name in unread cons-back no-connect; do
    timeout 40 hostile client "$OWNER" $name >/tmp/hostile/$name 2>&1 &
    eval "late_${name%-*}=$!"
done

json='word BadMessage, then closed
empty BadMessage, then closed
array BadMessage, then closed
number BadMessage, then closed
string BadMessage, then closed
null BadMessage, then closed
unclosed BadMessage, then closed
open-string BadMessage, then closed
two-values BadMessage, then closed
trailing BadMessage, then closed
comment BadMessage, then closed
no-value BadMessage, then closed
nan BadMessage, then closed
infinity InvalidArgument, then open
depth-9 BadMessage, then closed
depth-1000 BadMessage, then closed
depth-objects BadMessage, then closed
non-ascii BadMessage, then closed
control BadMessage, then closed
escape BadMessage, then closed
lone-cr BadMessage, then closed
lone-lf BadMessage, then closed
bad-escape BadMessage, then closed
nul-escape BadMessage, then closed
nul-key BadMessage, then closed
surrogate InvalidArgument, then open'

requests='nothing-in-it InvalidArgument, then open
id-missing InvalidArgument, then open
id-negative InvalidArgument, then open
id-string InvalidArgument, then open
id-float InvalidArgument, then open
id-exponent InvalidArgument, then open
id-null InvalidArgument, then open
id-object InvalidArgument, then open
id-2^63 InvalidArgument, then open
id-2^63-1 return, then open
id-digits InvalidArgument, then open
id-twice InvalidArgument, then open
execute-twice InvalidArgument, then open
execute-missing CommandNotFound, then open
execute-number CommandNotFound, then open
execute-unknown CommandNotFound, then open
execute-format CommandNotFound, then open
execute-long CommandNotFound, then open
member-unknown InvalidArgument, then open
reply InvalidArgument, then open
greeting InvalidArgument, then open
progress InvalidArgument, then open
arguments-missing InvalidArgument, then open
arguments-array InvalidArgument, then open
argument-missing InvalidArgument, then open
argument-unknown InvalidArgument, then open
argument-twice InvalidArgument, then open
argument-number InvalidArgument, then open
argument-null InvalidArgument, then open
argument-object InvalidArgument, then open
reset-number InvalidArgument, then open
reset-string InvalidArgument, then open'

values='dir-path InvalidArgument, then open
dir-up InvalidArgument, then open
dir-empty InvalidArgument, then open
dir-case InvalidArgument, then open
sbdf-empty InvalidArgument, then open
sbdf-space InvalidArgument, then open
sbdf-case InvalidArgument, then open
sbdf-short InvalidArgument, then open
sbdf-long InvalidArgument, then open
sbdf-device InvalidArgument, then open
sbdf-function InvalidArgument, then open
sbdf-path InvalidArgument, then open
sbdf-negative InvalidArgument, then open
driver-up InvalidArgument, then open
driver-slash InvalidArgument, then open
driver-dot InvalidArgument, then open
driver-empty InvalidArgument, then open
driver-long InvalidArgument, then open
driver-nul BadMessage, then closed
driver-newline InvalidArgument, then open
driver-unasked InvalidArgument, then open
driver-missing InvalidArgument, then open
file-path InvalidArgument, then open
driver-none OperationFailed, then open
absent-query DeviceNotFound, then open
absent-unbind DeviceNotFound, then open
absent-assign DeviceNotFound, then open
absent-lend OperationFailed, then open
lend-driven OperationFailed, then open
take-back return, then open
permissive OperationFailed, then open'

ring='long BadMessage, then closed
longest return, then open
endless BadMessage, then closed
nul BadMessage, then closed
bytewise return, then open
half nothing
half-close nothing
close nothing
work-close nothing
in-flight TooManyRequests, then open
same-id 3 replies, then open
prod-ahead nothing
prod-behind nothing
prod-full nothing
cons-ahead nothing
orders return, then open
grants return, then open
notify return, then open
no-notify return, then open
dead closed
unborn return, then open
live-99 return, then open'

# Dom0 can write to nodes that are not its own.
case $TOPOLOGY in
    hwdom) ring_ref='refused: cannot make a channel; the log of xl pcid says why' ;;
    *) ring_ref='return, then open' ;;
esac
xenstore="name-long refused: the name of a channel has at most 12 characters
name-huge refused: the name of a channel has at most 12 characters
name-odd return, then open
name-dots denied: EINVAL
name-percent denied: EINVAL
many 64 offered, 136 refused
removed nothing
removed-early nothing
removed-late closed
offered nothing
nonsense nothing
twice nothing
rights nothing
ring-ref $ring_ref
deep nothing
as-other refused: domain 7 is not among the clients that xl pcid was told to serve
as-reserved nothing
as-huge nothing
as-word nothing
as-padded nothing
as-toolstack offered
listing 1 clients"

# In Dom0 that would be no attempt; hold does nothing wrong.
guest_only='remove-base
lent
steal-grants
steal-ports
hold'
played client "$late
$json
$requests
$values
$ring
$xenstore" "$guest_only"

driven=$(device_state "$E1000B_BDF")
client_plays "$json"
unharmed "JSON"
client_plays "$(doubles "$requests")"
client_plays "$values"
unharmed "requests"
is "no device was touched" "$(device_state "$E1000B_BDF")" "$driven"
client_plays "$ring"
client_plays "$xenstore"
wait "$late_unread" "$late_cons" "$late_no"
while read -r name wanted; do
    is "client, $name" "$(cat "/tmp/hostile/$name")" "$wanted"
done <<END
$late
END
unharmed "rings and nodes"
is "no connection is complained of twice" \
    "$(owner sed -nE 's/^libxl: (warning|error): .*: (domain [0-9]+, [^:]+): .*/\2/p' "$log" | sort | uniq -d)" ""
is "that there are too many is said once" "$(owner grep -c 'the most that it can have' "$log")" 1

diag "$(cut -d' ' -f1 /proc/uptime) s: clients have played"

# --- A guest that may not ask ---

hostile client "$OWNER" hold >/tmp/hostile/hold 2>&1 &
hold=$!
ok "there is a connection that could be stolen" wait_until 10 grep -q 'return, then open' /tmp/hostile/hold
said=$(daemon_said)
denied='word denied: EACCES
name-long denied: EACCES
name-huge denied: EACCES
name-odd denied: EACCES
name-dots denied: EINVAL
name-percent denied: EINVAL
many denied: EACCES
no-connect denied: EACCES
removed denied: EACCES
removed-early denied: EACCES
removed-late denied: EACCES
offered denied: EACCES
nonsense denied: EACCES
twice denied: EACCES
rights denied: EACCES
ring-ref denied: EACCES
deep denied: EACCES
as-other denied: EACCES
as-reserved denied: EACCES
as-huge denied: EACCES
as-word denied: EACCES
as-padded denied: EACCES
as-toolstack denied: EACCES
listing denied: EACCES
remove-base denied: EACCES
lent denied: EACCES
steal-grants 0 grants
steal-ports 0 ports'
# shellcheck disable=SC2046
guest_run -w 20 victim sh -c '
    owner=$1
    shift
    for name; do echo "$name $(timeout 20 hostile client "$owner" "$name" 2>/dev/null)"; done
' sh "$OWNER" $(echo "$denied" | cut -d' ' -f1) >/tmp/hostile/guest 2>&1
while read -r name wanted; do
    is "guest, $name" "$(grep "^$name " /tmp/hostile/guest)" "$name $wanted"
done <<END
$denied
END
is "the daemon has nothing to say of it" "$(daemon_said)" "$said"
kill $hold
wait $hold 2>/dev/null
unharmed "guest"
[ "$VARIANT" != flask ] || is "guest: FLASK, too, keeps it from the pages of others" \
    "$(denials | sed 's/ (.*//' | sort -u)" "map_read map_write: domU_t hwdom_t:grant"

diag "$(cut -d' ' -f1 /proc/uptime) s: the guest has played"

# --- An owner ---

played owner "$silent
$quick
$formal
list-20000
progress-ever
$for_hvm" ""

access=$(domain_access "$victim")
given() { is "owner, $1: the guest may access what it could before" "$(domain_access "$victim")" "$access"; }

xl pci-owner evil
waiting=
while read -r name command status_wanted regex; do
    # shellcheck disable=SC2046
    in_background "$name" "/tmp/hostile/$name" $(command_of "$command")
    waiting="$waiting $!"
done <<END
$silent
END
# shellcheck disable=SC2086
wait $waiting
# They were asked all at once: that took its time, too.
in_time='([0-9]{1,4}|1[01][0-9]{3})'
while read -r name command status_wanted regex; do
    owner_played "$name" "/tmp/hostile/$name" "$status_wanted" "$regex"
done <<END
$silent
END
in_time='[0-9]{1,4}'

diag "$(cut -d' ' -f1 /proc/uptime) s: silent owners have played"

while read -r name command status_wanted regex; do
    # shellcheck disable=SC2046
    owner_plays "$name" /tmp/hostile/owner $(command_of "$command")
    owner_played "$name" /tmp/hostile/owner "$status_wanted" "$regex"
    # Each of these takes a second.
    case $name in lend-2^52 | lend-zero | lend-ram | lend-low | lend-all | lend-apic | lend-p* | lend-gsi | lend-half) given "$name" ;; esac
done <<END
$(doubles "$quick
$formal")
END
diag "$(cut -d' ' -f1 /proc/uptime) s: the others have played"
given "all that was lent"
is "the guest has no device" "$(xl pci-list victim)" ""
fails "none is marked as the guest's" xenstore-exists /libxl/pci/0000-00-1e-7/domid

owner_plays list-20000 /tmp/hostile/owner xl pci-assignable-list
like "owner, list-20000: ends with 0, in time" "$(cat /tmp/hostile/owner.end)" '^status 0, [0-9]{1,4} ms'
is "owner, list-20000: they are listed" "$(grep -c "$listed" /tmp/hostile/owner.out)" 20000

wait_ever() { [ -s /tmp/hostile/ever.end ]; }
wait_until 150 wait_ever
like "owner, progress-ever: ends with 1, after two minutes" "$(cat /tmp/hostile/ever.end)" '^status 1, 12[0-9]{4} ms, 0 odd'
like "owner, progress-ever: is said" "$(cat /tmp/hostile/ever.out)" 'did not finish within 120 s'

xl pci-owner "$OWNER"
is "the owner is the one it was" "$(xl pci-owner)" "$OWNER_IS"
unharmed "after all"

done_testing
