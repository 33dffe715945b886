# shellcheck shell=sh
# Domain 1, the hardware domain: drives the devices, and serves them.
load_drivers
[ -n "$NO_SERVICES" ] || start_services
exec agent
