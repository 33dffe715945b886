# shellcheck shell=sh
# An ordinary PV guest: the agent, nothing else.
load xen-pcifront e1000 e1000e
exec agent
