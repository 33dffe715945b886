# shellcheck shell=sh
# Domain 1, the hardware domain: drives the devices, and serves them.
load e1000 e1000e xen-pciback
[ -n "$NO_SERVICES" ] || start_services
exec agent
