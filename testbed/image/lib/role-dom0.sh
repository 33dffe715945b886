# shellcheck shell=sh
# Dom0, or on Arm64 the domain with its role: starts Xen's daemons, sets the topology up,
# receives the scenario, runs it and stops the machine with its status. Words on stdout go to
# the console log.

# shellcheck source=port-x86_64.sh
. "/lib/port-$(uname -m).sh"
BASE_VERSION=$(cat /etc/xen-version)
export BASE_VERSION

uptime_is() { echo "testbed: $1 at $(cut -d' ' -f1 /proc/uptime) s of Dom0"; }

# Stop the emulator. Its own failures have an exit status of 1.
stop_machine() {
    stop_emulator $((($1 + 1) * 2 + 1))
    # Not reached, unless domain 1 has not lent us the port: then by the hypervisor.
    echo "testbed: resetting the machine"
    xl-plain debug-keys R
    sleep 60
}

die() {
    echo "testbed: $1"
    stop_machine 126
}

start_xen_daemons() {
    mkdir -p /run/xen /run/xenstored
    # shellcheck disable=SC2153
    if [ "$TOOLSTACK" != 0 ]; then
        start_daemons_of_split
        return
    fi
    xenstored --pid-file /run/xenstored.pid || die "xenstored does not start"
    # It goes to the background before it listens.
    until [ -S /run/xenstored/socket ]; do usleep 10000; done
    xen-init-dom0 || die "xen-init-dom0 fails"
    xenconsoled --log=guest --pid-file=/run/xenconsoled.pid || die "xenconsoled does not start"
    [ -z "${TOOLSTACKS:-}" ] || init-dom0less || die "init-dom0less fails"
}

# Where Xen has built all domains. Xen does not make for this one what xenstored expects to
# find in /proc/xen, nor Linux that directory. So xenstored alone gets another /proc.
start_daemons_of_split() {
    mkdir -p /run/proc/xen
    truncate -s 4096 /run/proc/xen/xsd_kva
    mkfifo /run/held-port
    hold-port "$TOOLSTACK" >/run/held-port &
    read -r held_port </run/held-port || die "no event channel for xenstored"
    echo "$held_port" >/run/proc/xen/xsd_port
    unshare -m sh -c 'mount --bind /run/proc /proc && exec xenstored --pid-file /run/xenstored.pid' ||
        die "xenstored does not start"
    until [ -S /run/xenstored/socket ]; do usleep 10000; done
    # What xen-init-dom0 writes for domain 0
    xenstore-write "/local/domain/$TOOLSTACK/domid" "$TOOLSTACK" "/local/domain/$TOOLSTACK/name" control \
        /tool/xenstored/domid "$TOOLSTACK" /tool/xenconsoled/domid "$TOOLSTACK" \
        /local/pool/0/name Pool-0 /local/pool/0/uuid 00000000-0000-0000-0000-000000000000 ||
        die "nothing can be written to xenstore"
    xenconsoled --log=guest --pid-file=/run/xenconsoled.pid || die "xenconsoled does not start"
    # There is no domain 0 to take memory from.
    echo 'autoballoon="off"' >>/etc/xen/xl.conf
    init-dom0less || die "init-dom0less fails"
}

open_port

# receive: sets $kind to what lib/machine.py sends next, and unpacks it in /scenario. The archive
# has a checksum of its own.
receive() {
    read -r kind size <&4 || return
    [ ! -e /scenario ] || rm -r /scenario
    mkdir /scenario
    head -c "$size" <&4 | tar -xzC /scenario
}

# A snapshot is the same each time: each domain gets a clock and random numbers of this run.
renew_domains() {
    {
        read -r now
        read -r seed
        renew "$now" "$seed"
        for domid in $(xenstore-list /local/domain); do
            case $domid in 0 | "$TOOLSTACK") continue ;; esac
            read -r seed
            remote -w 60 "$domid" renew "$now" "$seed" || return
        done
    } </scenario/fresh
    rm /scenario/fresh
}

# prepare: carry out what a scenario begins with. guest_start finds later what is there.
prepare() {
    (
        PREPARING=yes
        export PREPARING
        set -e
        # shellcheck source=/dev/null
        . /scenario/prepare
    ) </dev/null
}

start_xen_daemons
uptime_is "Xen's daemons are up"
if [ -n "$HARDWARE_DOM" ]; then
    echo "testbed: the scenario builds the hardware domain"
elif [ "$OWNER" != "$TOOLSTACK" ]; then
    hwdom_start || die "no hardware domain"
    uptime_is "the hardware domain is up"
else
    load_drivers
fi
if [ "$TOPOLOGY" = loopback ] && [ "$DAEMON" != no ]; then
    mkdir -p /etc/default
    echo 'XLPCID_ARGS="--designate"' >/etc/default/xlpcid
    start_services
fi
# The scenario fails then, from the start.
[ -n "$HARDWARE_DOM" ] || ! owner test -e /run/services-failed || touch /run/services-failed
uptime_is "ready"

cd /root || die "no /root"
# From here on a snapshot of the machine goes on, too.
echo "testbed: ready" >&3
while receive && [ "$kind" = prepare ]; do
    if prepare; then echo "testbed: ready"; else echo "testbed: failed"; fi >&3
done
[ "$kind" = job ] || die "what came over the serial port is not whole"
renew_domains || die "a domain cannot be given a clock and random numbers"
echo "testbed: begins" >&3

if [ -e /scenario/interactive ]; then
    owner cat /run/services.log >&3 2>/dev/null
    ENV=/lib/testbed.sh PS1="$TOPOLOGY Dom0 \\w # "
    export ENV PS1
    # shellcheck disable=SC2046
    interactive $(cat /scenario/interactive)
else
    exec 4<&-
    run-scenario </dev/null >&3 2>&1
fi
status=$?
[ "$status" -le 123 ] || status=123
stop_machine "$status"
