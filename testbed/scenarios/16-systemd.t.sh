# shellcheck shell=sh disable=SC2154
# topologies: loopback
# not on arm64: its systemd is that of the machine that builds the image
# needs: systemd
#
# The systemd unit, with this machine's systemd as process 1 of a container in Dom0:
# started at boot and by hand, Dom0 is served when systemd says that it has started; after
# a crash it is started again; when it is refused, not for ever.

[ -x /usr/lib/systemd/systemd ] || skip_all "there was no systemd to build the testbed with"

/etc/init.d/xlpcid stop >/dev/null
is "there is no daemon" "$(xl pci-owner)" none

# Mounted already, so that systemd leaves it to all.
mount --bind /run /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo 0123456789abcdef0123456789abcdef >/etc/machine-id
container=testbed unshare -pmf --mount-proc /usr/lib/systemd/systemd </dev/null >/dev/null 2>&1 &

# Only from inside: systemd cannot see who else asks.
ctl() { nsenter -t "$(pidof systemd)" -p -m /usr/bin/systemctl --no-pager "$@"; }
# state PROPERTY: its value
state() { ctl show -p "$1" --value xlpcid 2>&1; }
state_is() { [ "$(state ActiveState)" = "$1" ]; }
serves() { is "$1: Dom0 is served" "$(xl pci-owner | sed 's/ (hardware domain)$//') $(xl pci-assignable-list 2>&1)" "0 Domain-0 $EDU_BDF "; }

ok "it is started at boot" wait_until 30 state_is active
ok "it serves" xl pci-assignable-add "$EDU_BDF"
serves "at boot"
like "it comes after what it needs in Dom0" "$(state After)" 'proc-xen\.mount'

ok "it can be stopped" ctl stop xlpcid
is "it has ended in good order" "$(state ActiveState) $(state Result)" "inactive success"
is "and is no owner any more" "$(xl pci-owner)" none

ok "it can be started" ctl start xlpcid
serves "when started"

ok "it is killed" ctl kill -s KILL xlpcid
restarted() { [ "$(state NRestarts)" = 1 ] && state_is active; }
ok "it is started again by itself" wait_until 20 restarted
serves "after a crash"
like "its output goes to the log" "$(cat /var/log/xen/xlpcid.log)" '^libxl: info: .*serving the PCI devices of domain 0'

ok "it is stopped again" ctl stop xlpcid
guest_start other
xl pci-owner other
fails "another is designated: it does not start" ctl start xlpcid
ok "another is designated: it is given up" wait_until 60 state_is failed
is "another is designated: it still is" "$(xl pci-owner)" "$(xl domid other) other"
xl destroy other
xl pci-owner -c
ctl reset-failed xlpcid
ok "then it can be started again" ctl start xlpcid
serves "then"

done_testing
