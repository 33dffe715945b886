# shellcheck shell=sh
# The hardware domain, domain 1: drives the devices, and serves them.
load e1000 e1000e xen-pciback
if [ "$TOOLSTACK" != 0 ]; then
    # Xen has built this domain, and init-dom0less connects it to xenstore. A request from
    # before that waits for ever.
    until timeout 5 xenstore-read domid >/dev/null 2>&1; do usleep 200000; done
    mkdir -p /etc/default
    echo "XLPCID_ARGS=\"-c $TOOLSTACK\"" >/etc/default/xlpcid
fi
[ -n "$NO_SERVICES" ] || start_services
exec agent
