# shellcheck shell=sh
# An HVM guest: the agent, with the drivers of the devices that it may get.
load e1000 e1000e
exec agent
