# shellcheck shell=sh
# Domain 1, the hardware domain: drives the devices, and serves them.
load_drivers
if [ "$TOOLSTACK" != 0 ]; then
    wait_for_xenstore
    mkdir -p /etc/default
    echo "XLPCID_ARGS=\"-c $TOOLSTACK\"" >/etc/default/xlpcid
fi
[ -n "$NO_SERVICES" ] || start_services
exec agent
