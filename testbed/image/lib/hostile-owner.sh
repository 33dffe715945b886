# shellcheck shell=sh disable=SC2034,SC2154
# An owner that does not keep to the protocol (src/hostile-owner.c), in the guest "evil", and
# what is to come of a command of Dom0 that asks it. For the scenarios that say which, and that
# set $home, the directory in which that guest may write.

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

command_of() {
    case $1 in
        list) echo xl pci-assignable-list ;;
        add) echo xl pci-assignable-add 00:1d.0 ;;
        attach) echo xl pci-attach victim "${ATTACHED:-00:1e.7}" ;;
    esac
}

# NAME COMMAND STATUS REGEX. add is of a device that only the owner knows; attach, too, unless
# $ATTACHED is another one.
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
# On Arm, the toolstack domain has no right to any RAM, so Xen refuses that, too. Ports and
# interrupts are left out, and what is refused is the device, which is not there. The first
# megabyte is flash memory, which is Dom0's where Dom0 has the hardware.
no_device='xc_assign_device failed: No such device'
refused='xc_domain_iomem_permission .*not permitted'
low=$no_device
[ "$TOPOLOGY" != hwdom ] || low=$refused
[ "$(uname -m)" != aarch64 ] || formal="lend-ram attach 1 $refused
lend-low attach 1 $low
lend-all attach 1 $refused
lend-apic attach 1 $refused
lend-ports attach 1 $no_device
lend-pic attach 1 $no_device
lend-gsi attach 1 $no_device
lend-half attach 1 $refused"

# What only those are asked who have a guest with a device model: 75-hostile-hvm.t.sh.
for_hvm="lend-control-missing attach 1 $bad_lend
lend-control-string attach 1 $bad_lend"
