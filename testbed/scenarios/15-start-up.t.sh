# shellcheck shell=sh disable=SC2016,SC2154
# topologies: loopback hwdom
# boots: the start at boot is what it tests
#
# The init script: started at boot, with no hand at it, and by hand; what it says and
# returns is true in each state that the daemon can be in; when it has started the
# daemon, Dom0 is served.

script=/etc/init.d/xlpcid
pidfile=/var/run/xen/xlpcid.pid
log=/var/log/xen/xlpcid.log
OWNER_IS=$(xl pci-owner)

daemon() { owner cat $pidfile; }
alive() { owner kill -0 "$1" 2>/dev/null; }
gone() { ! alive "$1"; }

# service ACTION "situation" STATUS REGEX: its exit status, and what it says.
service() {
    run owner $script "$1"
    is "$2: $1 returns $3" "$status" "$3"
    like "$2: $1 says so" "$output" "$4"
}

# serves "situation": now, not after a while; and by the daemon, since it is designated.
serves() {
    is "$1: Dom0 is served" "$(xl pci-assignable-list 2>&1)" "$EDU_BDF "
    is "$1: by the owner" "$(xl pci-owner)" "$OWNER_IS"
    service status "$1" 0 '^xl pcid is running, pid [0-9]+\.$'
}

# serves_not "situation": in an orderly end, a daemon in Dom0 takes its designation back.
serves_not() {
    if [ "$TOPOLOGY" = hwdom ]; then
        fails "$1: Dom0 is not served" xl pci-assignable-list
    else
        is "$1: nobody is the owner" "$(xl pci-owner)" none
    fi
}

# --- At boot ---

like "at boot the script has started the daemon" "$(owner cat /run/services.log)" '^Starting xl pcid\.$'
ok "it serves" xl pci-assignable-add "$EDU_BDF"
serves "at boot"
first=$(daemon)
for fd in 1 2; do
    is "its output $fd goes to the log" "$(owner readlink "/proc/$first/fd/$fd")" "$log"
done
like "where it says what it does" "$(owner cat $log)" "serving the PCI devices of domain ${OWNER_IS%% *} to domain $TOOLSTACK$"

# --- By hand ---

service start "it is running" 0 "^xl pcid is running already, pid $first\.$"
is "it is the same" "$(daemon)" "$first"

service stop "it is running" 0 "^Stopping xl pcid, pid $first\.$"
ok "it has ended by then" gone "$first"
fails "there is no pidfile" owner test -e $pidfile
serves_not "it was stopped"
service status "it was stopped" 3 '^xl pcid is not running\.$'
service stop "it was stopped" 0 '^xl pcid is not running\.$'

service start "it was stopped" 0 '^Starting xl pcid\.$'
serves "it was started"

before=$(daemon)
service restart "it is running" 0 '^Starting xl pcid\.$'
serves "it was restarted"
ok "the one before has ended" gone "$before"

pcid_stop
service restart "it was stopped" 0 '^Starting xl pcid\.$'
serves "restarted when it was stopped"

# --- After a crash ---

pcid_stop KILL
service status "it has crashed" 1 "^xl pcid is not running, but was not stopped: there is $pidfile\.$"
service start "it has crashed" 0 '^Starting xl pcid\.$'
serves "started after a crash"

pcid_stop KILL
service stop "it has crashed" 0 '^xl pcid is not running\.$'
service status "stopped after a crash" 3 '^xl pcid is not running\.$'
service start "stopped after a crash" 0 '^Starting xl pcid\.$'

# --- A pidfile that names another process ---

# other_process "what" COMMAND...
other_process() {
    other_what=$1
    shift
    pcid_stop KILL
    other=$(owner -b "$@")
    owner sh -c 'echo "$1" >"$2"' sh "$other" $pidfile
    service status "$other_what has its number" 1 '^xl pcid is not running, but was not stopped'
    service stop "$other_what has its number" 0 '^xl pcid is not running\.$'
    ok "$other_what is left alone" alive "$other"
    owner sh -c 'echo "$1" >"$2"' sh "$other" $pidfile
    service start "$other_what has its number" 0 '^Starting xl pcid\.$'
    serves "$other_what had its number"
    ok "$other_what is still there" alive "$other"
    owner kill "$other"
}
other_process "another program" sleep 1000
# Any program: timeout is none of busybox's.
owner cp /bin/timeout /tmp/xl
other_process "another xl" /tmp/xl 1000 sleep 1000

pcid_stop KILL
for text in '' 'no number' 99999999; do
    run owner sh -c 'echo "$1" >"$2"; exec "$3" status' sh "$text" $pidfile $script
    is "\"$text\" in the pidfile: status returns 1" "$status" 1
done
service start "rubbish in the pidfile" 0 '^Starting xl pcid\.$'
serves "rubbish was in the pidfile"

# --- It does not end ---

stuck=$(daemon)
pcid_stop STOP
timed owner $script stop
is "it does not end: stop returns 1" "$status" 1
within "it does not end: after 15 s" 14000 "$took" 20000
like "it does not end: that is said" "$output" "^xl pcid, pid $stuck, has not ended in 15 s: see $log"
service status "it does not end" 0 "^xl pcid is running, pid $stuck\.$"
pcid_stop CONT
ok "it ends when it can" wait_until 10 gone "$stuck"
service start "it has ended late" 0 '^Starting xl pcid\.$'

# --- It is refused ---

# Dom0 must not become the owner while another domain is.
service stop "before another is designated" 0 '^Stopping xl pcid'
[ "$TOPOLOGY" = hwdom ] || { guest_start other && xl pci-owner other; }
designated=$(xl pci-owner)
refused="designated as the owner of the PCI devices; run xl pcid in that domain, or clear the owner with xl pci-owner -c"
mkdir -p /etc/default
echo 'XLPCID_ARGS="--designate"' >/etc/default/xlpcid
run $script start
is "another is designated: start returns 1 in Dom0" "$status" 1
like "another is designated: start says so" "$output" "domain ${designated%% *} is $refused"
run $script status
is "another is designated: status returns 3 in Dom0" "$status" 3
is "another is designated: it still is" "$(xl pci-owner)" "$designated"

# To serve is not to designate: a service that is enabled everywhere changes nothing.
echo 'XLPCID_ARGS=""' >/etc/default/xlpcid
ok "in Dom0, without --designate: it starts" $script start
is "in Dom0, without --designate: the owner is as it was" "$(xl pci-owner)" "$designated"
ok "in Dom0, without --designate: it stops" $script stop
is "in Dom0, without --designate: the owner is still as it was" "$(xl pci-owner)" "$designated"
if [ "$TOPOLOGY" = loopback ]; then
    xl pci-owner -c
    $script start
    is "in Dom0, without an owner: nobody is designated" "$(xl pci-owner)" none
    is "in Dom0, without an owner: its devices are used" "$(xl pci-assignable-list)" "$EDU_BDF "
    $script stop
    echo 'XLPCID_ARGS="--designate"' >/etc/default/xlpcid
    xl pci-owner other
    run xl pci-owner 0
    is "Dom0 without xl pcid cannot be designated" "$status" 1
    like "and it is said why" "$output" 'xl pcid does not run in it; without an owner, its devices are used directly'
    run xl pci-owner other
    like "an owner beside a Dom0 that has PCI devices: that is said" "$output" \
        'this domain has [0-9]+ PCI devices, too: nothing keeps domain'
else
    run xl pci-owner "$OWNER"
    is "an owner beside a Dom0 without PCI devices: nothing is said" "$status $output" "0 "
    fails "outside of Dom0, --designate is refused" owner timeout 20 xl pcid -F --designate
    like "and it is said why" "$output" 'it is not a toolstack domain; leave out --designate'
fi
[ "$TOPOLOGY" = hwdom ] || { xl destroy other && xl pci-owner -c; }

designate=
[ "$TOPOLOGY" = hwdom ] || designate=--designate
# shellcheck disable=SC2086
by_hand=$(owner -b xl pcid -F $designate)
by_hand_serves() { owner xenstore-exists "/local/domain/${OWNER_IS%% *}/data/pcid/0"; }
wait_until 10 by_hand_serves
service start "one was started by hand" 1 'xl pcid runs in this domain already'
owner kill "$by_hand"
ok "the one started by hand ends" wait_until 10 gone "$by_hand"

# --- Options ---

service start "before options are given" 0 '^Starting xl pcid\.$'
unlike "the log has no requests" "$(owner cat $log)" 'ls'
pcid_stop
ok "it is started with options" env PCID_VERBOSE=1 pcid_start -c "$TOOLSTACK"
serves "with options"
like "the log has requests" "$(owner cat $log)" 'ls'

pcid_stop
ok "any number of clients" pcid_start -c "$TOOLSTACK" -c 7 -c 8 -c 9 -c 10 -c 11
serves "one of six clients"

run owner start-stop-daemon -S -c nobody -x $script -- status
is "not root: status returns 4" "$status" 4
like "not root: that is said" "$output" '^xl pcid: only root can tell'

run owner $script explode
is "usage: status 2" "$status" 2
like "usage: said" "$output" '^Usage: .*start\|stop\|restart\|force-reload\|status'

done_testing
