# shellcheck shell=sh
# A domain beside Dom0 that controls the machine, too, and owns no devices: the agent. Dom0
# connects it to xenstore.
mkdir -p /run/xen
wait_for_xenstore
exec agent
