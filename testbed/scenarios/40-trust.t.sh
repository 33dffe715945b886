# shellcheck shell=sh disable=SC2016,SC2154
# topologies: loopback hwdom
# begins with: guest_start evil 'ramdisk = "/boot/base.cpio"' 'memory = 144'
# time limit: 900
#
# Who is asked, and who may ask: only the designated domain is ever contacted, whatever
# a guest publishes; only the client domains that the daemon was told are served; and
# the designation comes and goes with what it stands for.

OWNER=$(xl pci-owner | cut -d' ' -f1)
OWNER_IS=$(xl pci-owner)
server=/local/domain/$OWNER/data/pcid
daemon_log() { owner cat /var/log/xen/xlpcid.log; }

# --- A guest that poses as the owner, with the real daemon ---

# With xl, which other guests do not have
guest_start evil 'ramdisk = "/boot/base.cpio"' 'memory = 144'
evil=$(xl domid evil)
posed=/local/domain/$evil/data/pcid
ok "the guest runs the daemon" guest_run evil xl pcid -c "$TOOLSTACK"
# The spare channel that it makes by itself comes before what is looked at below.
spare_announced() { [ -n "$(xenstore-read "$posed/$TOOLSTACK" 2>/dev/null)" ]; }
ok "it publishes what a daemon does" wait_until 10 spare_announced

# contacted COMMAND...: sets $contacted, how many nodes the command made at the guest's.
contacted() {
    xenstore-watch "$posed" >/tmp/watch &
    contacted_watch=$!
    wait_until 5 test -s /tmp/watch
    run "$@"
    # What was written before is seen before.
    xenstore-write "$posed/end" ''
    wait_until 5 grep -q "$posed/end" /tmp/watch
    kill $contacted_watch
    wait $contacted_watch 2>/dev/null
    contacted=$(grep -c "^$posed/$TOOLSTACK/" /tmp/watch)
    xenstore-rm "$posed/end"
}

contacted xl pci-assignable-add "$EDU_BDF"
is "add is carried out by the designated domain" "$status $(device_state "$EDU_BDF" | cut -d' ' -f1)" "0 driver=pciback"
is "add does not contact the guest" "$contacted" 0
contacted xl pci-assignable-list
is "list is answered by the designated domain" "$status $output" "0 $EDU_BDF "
is "list does not contact the guest" "$contacted" 0
contacted xl pci-assignable-remove "$EDU_BDF"
is "remove is carried out by the designated domain" "$status $(device_state "$EDU_BDF" | cut -d' ' -f1)" "0 driver=none"
is "remove does not contact the guest" "$contacted" 0

xl pci-owner -c
contacted xl pci-assignable-list
is "without designation the guest is not contacted either" "$contacted" 0
run strace -f -e trace=openat -o /tmp/trace xl pci-assignable-list
unlike "and nothing is prepared to map a grant" "$(cat /tmp/trace)" 'xen/gntdev'

# Were it designated, it would be contacted: so the above shows something.
xl pci-owner evil
contacted xl pci-assignable-list
unlike "it is contacted if it is designated" "$contacted" '^0$'
run strace -f -e trace=openat -o /tmp/trace xl pci-assignable-list
like "and its grant is mapped" "$(cat /tmp/trace)" 'xen/gntdev'

# A designation is not the guest's to make.
xl pci-owner "$OWNER"
fails "a guest cannot designate itself" guest_run evil strace xenstore-write /libxl/pcid/domid "$evil"
like "for want of permission" "$output" EACCES
fails "nor read who is" guest_run evil xenstore-read /libxl/pcid/domid
is "the designation is as it was" "$(xl pci-owner)" "$OWNER_IS"

# A domain whose name cannot be read is still one.
name=$(xenstore-read "/local/domain/$OWNER/name")
xenstore-rm "/local/domain/$OWNER/name"
# Newer Xen tells that it is the hardware domain.
is "a name that is not known" "$(xl pci-owner)" "$OWNER (name not known)${OWNER_IS#"$OWNER $name"}"
xenstore-write "/local/domain/$OWNER/name" "$name"
is "it is known again" "$(xl pci-owner)" "$OWNER_IS"

# --- A guest that asks ---

fails "a guest cannot ask in its own name" guest_run evil strace xenstore-write "$server/$evil/x" requested
like "for want of permission" "$output" EACCES
fails "nor in Dom0's" guest_run evil xenstore-write "$server/$TOOLSTACK/x" requested
fails "nor read who asks" guest_run evil xenstore-ls "$server"
fails "nothing of it is there" xenstore-exists "$server/$evil"

# --- A client that the daemon was not told ---

pcid_stop
pcid_start -c 7
xl pci-owner "$OWNER"
for command in list "add $EDU_BDF" "remove $EDU_BDF"; do
    # shellcheck disable=SC2086
    fails "not a client: $command fails" xl pci-assignable-$command
    like "not a client: $command says so" "$output" "domain $TOOLSTACK is not among the clients"
done
like "not a client: the daemon's log says so" "$(daemon_log)" "connection refused: domain $TOOLSTACK is not among the clients"
is "not a client: nothing was done" "$(device_state "$EDU_BDF")" \
    "driver=none slots=0 quarantined=no rebind=- name=-"
pcid_stop
pcid_start -c 7 -c "$TOOLSTACK"
xl pci-owner "$OWNER"
ok "one of two clients is served" xl pci-assignable-list

# --- One daemon, in one domain ---

fails "a second daemon in the same domain refuses" owner timeout 20 xl pcid -F
like "and says why" "$output" 'xl pcid runs in this domain already'
unlike "and nothing of CPUs, which the owner need not be told of" "$output" 'number of cpus'
ok "the first is not disturbed" xl pci-assignable-list

if [ "$TOPOLOGY" = hwdom ]; then
    other=$OWNER_NAME
    other_domid=$OWNER
    other_is=$OWNER_IS
else
    pcid_stop
    other=evil
    other_domid=$evil
    xl pci-owner evil
    other_is=$(xl pci-owner)
fi
fails "a daemon in Dom0 refuses if $other is designated" timeout 20 xl pcid -F --designate
like "and names it" "$output" "[Dd]omain $other_domid.*designated .* xl pci-owner"
is "the designation is as it was" "$(xl pci-owner)" "$other_is"
fails "nothing is published in Dom0" xenstore-exists "/local/domain/$TOOLSTACK/data/pcid/$TOOLSTACK"

# --- An orderly end ---

[ "$TOPOLOGY" = hwdom ] || { xl pci-owner -c; pcid_start; }
ok "the daemon serves" xl pci-assignable-list
ok "on SIGTERM it ends" pcid_stop TERM
fails "its nodes are gone" xenstore-exists "$server"
fails "its pidfile is gone" owner test -e /var/run/xen/xlpcid.pid
if [ "$TOPOLOGY" = hwdom ]; then
    is "the designation of another domain stays" "$(xl pci-owner)" "$OWNER_IS"
else
    is "the designation that it made is gone" "$(xl pci-owner)" none
    ok "what is Dom0's is used directly again" xl pci-assignable-list
fi

# --- pcid=1 ---

xl pci-owner -c
ok "a domain with pcid=1 is built" guest_start named 'pcid = 1'
is "and is designated" "$(xl pci-owner)" "$(xl domid named) named"
fails "another with pcid=1 is not built then" guest_start second 'pcid = 1'
like "and it is said why" "$output" "pcid=1, but domain $(xl domid named) is designated"
fails "nothing is left of it" xl domid second
is "the first is still designated" "$(xl pci-owner)" "$(xl domid named) named"
ok "one without pcid is built" guest_start second
ok "and destroyed" xl destroy second
is "without a change to the designation" "$(xl pci-owner)" "$(xl domid named) named"
ok "the designated domain is destroyed" xl destroy named
is "and so is the designation" "$(xl pci-owner)" none
xenstore-write /libxl/pcid/domid 999
ok "a designation of nobody is in nobody's way" guest_start named 'pcid = 1'
is "it is replaced" "$(xl pci-owner)" "$(xl domid named) named"
xl destroy named

# --- Back to normal ---

[ "$TOPOLOGY" != hwdom ] || xl pci-owner "$OWNER"
pcid_start
is "all is as it was" "$(xl pci-owner)" "$OWNER_IS"
ok "and works" xl pci-assignable-list

done_testing
