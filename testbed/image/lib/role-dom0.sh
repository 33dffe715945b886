# shellcheck shell=sh
# Dom0: starts Xen's daemons, sets the topology up, receives the scenario, runs it and stops
# the machine with the scenario's status. Words on stdout go to the console log.

BASE_VERSION=$(cat /etc/xen-version)
export BASE_VERSION

uptime_is() { echo "testbed: $1 at $(cut -d' ' -f1 /proc/uptime) s of Dom0"; }

# Stop the emulator: its exit status is (value << 1) | 1, and 1 is its own failure.
stop_machine() {
    exec 3>&-       # waits until the serial port has sent everything
    # shellcheck disable=SC2059
    printf "\\$(printf %o $(($1 + 1)))" |
        dd of=/dev/port bs=1 seek=$((0xf4)) conv=notrunc 2>/dev/null
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
    xenstored --pid-file /run/xenstored.pid || die "xenstored does not start"
    # It goes to the background before it listens.
    until [ -S /run/xenstored/socket ]; do usleep 10000; done
    xen-init-dom0 || die "xen-init-dom0 fails"
    xenconsoled --log=guest --pid-file=/run/xenconsoled.pid || die "xenconsoled does not start"
}

# In hwdom, this port is not ours between the creation of domain 1 and its lending it
# back to us: open it before, write to it after.
exec 3<>/dev/ttyS1
stty -F /dev/ttyS1 raw -echo

# receive: sets $kind to what lib/machine.py sends next, and unpacks it in /scenario.
receive() {
    read -r kind size sum <&3 || return
    head -c "$size" <&3 >/run/received
    echo "$sum  /run/received" | md5sum -cs || return
    rm -rf /scenario
    mkdir /scenario
    tar -xzf /run/received -C /scenario || return
    rm /run/received
}

# A snapshot is the same each time: each domain gets a clock and random numbers of this run.
renew_domains() {
    {
        read -r now
        read -r seed
        renew "$now" "$seed"
        for domid in $(xenstore-list /local/domain); do
            [ "$domid" != 0 ] || continue
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
elif [ "$TOPOLOGY" = hwdom ]; then
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
    # shellcheck disable=SC2046
    stty -F /dev/ttyS1 sane $(cat /scenario/interactive)
    owner cat /run/services.log >&3 2>/dev/null
    ENV=/lib/testbed.sh PS1="$TOPOLOGY Dom0 \\w # " \
        setsid sh -c 'exec sh -i </dev/ttyS1 >/dev/ttyS1 2>&1'
else
    run-scenario </dev/null >&3 2>&1
fi
status=$?
[ "$status" -le 125 ] || status=125
stop_machine "$status"
