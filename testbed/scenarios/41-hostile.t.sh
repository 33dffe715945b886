# shellcheck shell=sh disable=SC2016,SC2154
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

# doubles LIST: without what json-c, in newer Xen, hides from libxl: of members of the same
# name it tells only the last, and a message with that one is right.
if ls /lib/*/libjson-c.so.* >/dev/null 2>&1; then
    doubles() { echo "$1" | grep -vE '^(id|execute|argument|return)-twice '; }
else
    doubles() { echo "$1"; }
fi

# owner_plays NAME FILE COMMAND...: a command of Dom0, against which the hostile owner plays
# that. Its output, and how it ended, are in the file.
owner_plays() {
    plays_file=$2
    xenstore-write "$home/hostile" "$1"
    shift 2
    timed timeout 200 "$@"
    printf '%s\n' "$output" >"$plays_file.out"
    # Bytes that no terminal should see
    odd=$(LC_ALL=C tr -d '\n\t -~' <"$plays_file.out" | wc -c)
    echo "status $status, $took ms, $odd odd bytes" >"$plays_file.end"
}

# in_background NAME FILE COMMAND...: the same; back when the owner plays. Its pid is $!.
is_played() { [ "$(xenstore-read "$home/hostile-plays" 2>/dev/null)" = "$1" ]; }
in_background() {
    owner_plays "$@" &
    wait_until 15 is_played "$1" || diag "$1: the owner is not asked"
}

# owner_played NAME FILE STATUS REGEX: that it ended so, and said that once.
in_time='[0-9]{1,4}'
owner_played() {
    like "owner, $1: ends with $3, in time" "$(cat "$2.end")" "^status $3, $in_time ms, 0 odd bytes\$"
    is "owner, $1: is said once: $4" "$(grep -Ec -e "$4" "$2.out")" 1
    [ "$(grep -Ec -e "$4" "$2.out")" = 1 ] || diag "$(head -c 2000 "$2.out")"
}

xl pci-owner evil
guest_run evil hostile owner &
ok "a hostile owner publishes what a daemon does" wait_until 10 xenstore-exists "$home/pcid/0"

# This takes two minutes.
in_background progress-ever /tmp/hostile/ever xl pci-assignable-list
xl pci-owner "$OWNER"

# --- A client that may ask ---

# What the daemon has: the process, files and connections.
daemon=$(owner cat /var/run/xen/xlpcid.pid)
daemon_has() {
    owner sh -c 'cat /var/run/xen/xlpcid.pid; ls "/proc/$1/fd" | wc -l' sh "$daemon"
    # Whichever channel it is that has been made in advance
    xenstore-ls "$server/0" | sed -E 's/^@[0-9a-f]+/@/; s/= "[0-9]+"/= N/'
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

# NAME COMMAND STATUS REGEX. attach and add are of devices that only the owner knows.
no_sign='has sent nothing for'
silent="greeting-none list 1 did not answer within
greeting-endless list 1 message too long|did not answer within
silence list 1 $no_sign
half list 1 $no_sign
progress-once list 1 $no_sign
prod-ahead list 1 $no_sign
list-100000 list 1 message too long|$no_sign
remove-always list 1 did not answer within"

invalid='sent an invalid message'
place='sent an unexpected message'
no_message='sent an invalid message:'
bad_greeting='sent an invalid greeting'
bad_list='sent an invalid reply to ls'
bad_query='sent an invalid reply to query'
bad_lend='sent an invalid reply to lend'
cannot='cannot connect to the channel of domain'
listed='^0000:00:1e.7 $'
quick="proper list 0 $listed
offer-nothing list 1 $cannot
offer-no-grant list 1 $cannot
offer-no-port list 1 $cannot
offer-words list 1 $cannot
offer-negative list 1 $cannot
offer-orders list 1 $cannot
offer-large list 1 $cannot
answer-word list 1 sent an invalid answer
answer-long list 1 sent an invalid answer
refuse-empty list 1 refuses the connection:
refuse-long list 1 ^.{300,700}\$
refuse-control list 1 refuses the connection: .*all is well
remove-once list 0 $listed
remove-offered list 1 $cannot|does not run in domain
greeting-10000 list 0 $listed
greeting-nul list 1 $no_message
greeting-version list 1 speaks version 2.0
greeting-version-0 list 1 speaks version 0.0
greeting-negative list 1 $bad_greeting
greeting-huge list 1 $bad_greeting
greeting-string list 1 $bad_greeting
greeting-word list 1 $no_message
greeting-empty list 1 $no_message
greeting-array list 1 $no_message
greeting-object list 1 $invalid
greeting-deep list 1 $no_message
greeting-control list 1 $no_message
greeting-no-features list 1 $bad_greeting
greeting-numbers list 1 $bad_greeting
greeting-id list 1 $invalid
greeting-twice list 1 $place
greeting-reply list 1 $place
greeting-request list 1 $invalid
no-features add 1 does not know the command query
close list 1 lost the connection
close-writing add 1 lost the connection
half-close list 1 lost the connection
reply-twice list 0 $listed
progress-flood list 0 $listed
cons-ahead list 0 $listed
notify list 0 $listed
dead list 1 lost the connection
orders list 0 $listed
id-other list 1 $place
id-missing list 1 $invalid
id-negative list 1 $invalid
id-string list 1 $invalid
id-float list 1 $invalid
id-huge list 1 $invalid
id-twice list 1 $invalid
progress-other list 1 $place
both list 1 $invalid
neither list 1 $invalid
return-twice list 1 $invalid
member-unknown list 1 $invalid
reply-two list 1 $no_message
reply-word list 1 $no_message
reply-control list 1 $no_message
reply-deep list 1 $no_message
error-no-id attach 1 could not read a request: no
error-empty attach 1 $bad_query
error-string attach 1 $invalid
error-class attach 1 is so
error-no-desc attach 1 $bad_query
error-desc-empty attach 1 $bad_query
error-control attach 1 ^libxl: error: .*all is well
error-format attach 1 %s%n%s%n
error-errno attach 1 :so\$
error-100k attach 1 ^.{500,700}\$
list-null list 1 $bad_list
list-string list 1 $bad_list
list-object list 1 $bad_list
list-numbers list 1 $bad_list
list-arrays list 1 $bad_list
list-path list 1 $bad_list
list-case list 1 $bad_list
list-range list 1 $bad_list
list-nul list 1 $no_message
query-list attach 1 $bad_query
query-driver attach 1 $bad_query
query-vendor attach 1 $bad_query
query-function attach 1 $bad_query
query-2^32 attach 1 $bad_query
query-twice attach 1 $bad_query
query-other attach 1 $bad_query
query-assigned attach 1 $bad_query
lend-6 attach 1 $bad_lend
lend-8 attach 1 $bad_lend
lend-1000 attach 1 $bad_lend
lend-none attach 1 $bad_lend
lend-reversed attach 1 $bad_lend
lend-negative attach 1 $bad_lend
lend-wrap attach 1 $bad_lend
lend-2^63 attach 1 $bad_lend
lend-2^52 attach 1 $bad_lend
lend-float attach 1 $bad_lend
lend-string attach 1 $bad_lend
lend-twice attach 1 $bad_lend
lend-flags-0 attach 1 $bad_lend
lend-flags-3 attach 1 $bad_lend
lend-flags-16 attach 1 $bad_lend
lend-flags-2^32 attach 1 $bad_lend
lend-zero attach 1 $bad_lend
lend-port-65536 attach 1 $bad_lend
lend-gsi-2^31 attach 1 $bad_lend
lend-gsi-negative attach 1 $bad_lend
lend-gsi-string attach 1 $bad_lend
lend-gsi-missing attach 1 $bad_lend
lend-reset attach 1 $bad_lend"

# Of a form that is right. libxl knows where there is RAM; for all else, Xen has the last
# word.
formal="lend-ram attach 1 domain [0-9]+ says that PCI device .* has the memory 0x100000-0x1fffff, which is RAM
lend-low attach 1 domain [0-9]+ says that PCI device .* has the memory 0x1000-0xfffff, which is RAM
lend-all attach 1 has the memory 0x1000-0xfffffffffffff, which is RAM
lend-apic attach 1 xc_domain_iomem_permission 0xfee00000/.*not permitted
lend-ports attach 1 xc_domain_ioport_permission 0x1/.*not permitted
lend-pic attach 1 xc_domain_ioport_permission 0x20/.*not permitted
lend-gsi attach 1 pci_add_dm_done: .*65535
lend-half attach 1 has the memory 0x1000-0xfffffffffffff, which is RAM"
played owner "$silent
$quick
$formal
list-20000
progress-ever" ""

command_of() {
    case $1 in
        list) echo xl pci-assignable-list ;;
        add) echo xl pci-assignable-add 00:1d.0 ;;
        attach) echo xl pci-attach victim 00:1e.7 ;;
    esac
}
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
