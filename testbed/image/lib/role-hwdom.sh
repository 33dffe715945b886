# shellcheck shell=sh
# Domain 1, the hardware domain: drives the devices, and serves them.
load_drivers
if [ "$TOOLSTACK" != 0 ]; then
    # Xen has built this domain, and init-dom0less connects it to xenstore. A request from
    # before that waits for ever.
    until timeout 5 xenstore-read domid >/dev/null 2>&1; do usleep 200000; done
    mkdir -p /etc/default
    echo "XLPCID_ARGS=\"-c $TOOLSTACK\"" >/etc/default/xlpcid
fi
[ -n "$NO_SERVICES" ] || start_services
exec agent
