# shellcheck shell=sh
# Which domain is which: $TOOLSTACK has the role of Dom0, $OWNER the devices, by the name of
# $OWNER_NAME. On Arm64, in hwdom, Xen builds both (../../arm64/hwdom.dts).
if [ "$TOPOLOGY" != hwdom ]; then
    TOOLSTACK=0 OWNER=0 OWNER_NAME=Domain-0
elif [ "$(uname -m)" = aarch64 ]; then
    TOOLSTACK=1 OWNER=2 OWNER_NAME=dom0less-2
else
    TOOLSTACK=0 OWNER=${HARDWARE_DOM:-1} OWNER_NAME=hwdom
fi
export TOOLSTACK OWNER OWNER_NAME
