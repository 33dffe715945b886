# shellcheck shell=sh
# The emulated PCI devices, see lib/qemu.sh: the same in every topology.
export E1000_BDF=0000:00:03.0   # network, with a gateway at 10.0.2.2
export E1000B_BDF=0000:00:04.0  # another
export EDU_BDF=0000:00:05.0     # QEMU's teaching device: an interrupt, DMA
export MULTI_BDF0=0000:00:06.0  # virtio network, two functions
export MULTI_BDF1=0000:00:06.1
export TESTDEV_BDF=0000:00:07.0 # memory and port BARs, no interrupt
export NVME_BDF=0000:00:08.0    # MSI-X
export E1000E_BDF=0000:01:00.0 # network, with MSI-X, behind a root port
export BRIDGED_BDF=0000:02:01.0 # another e1000, behind a conventional bridge
export IGB_BDF=0000:01:00.0    # network, with SR-IOV, in a machine that has not these two
export ABSENT_BDF=0000:00:1e.7  # no such device
