# shellcheck shell=sh
# Domain 1, the hardware domain: drives the devices. Dom0 starts the daemon here,
# through the agent.
load e1000 xen-pciback
exec agent
