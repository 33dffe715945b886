#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds and runs the tests in tools/tests/libxlu and tools/tests/pcid, which
# need no Xen to run on.

set -ex -o pipefail

./configure --disable-docs --disable-stubdom --disable-golang \
            --disable-ocamltools --disable-pvshim --disable-seabios \
            --disable-ovmf --disable-ipxe --disable-rombios \
            --with-system-qemu=/bin/false
make -j"$(nproc)" -C tools/include
make -j"$(nproc)" -C tools/libs
make -j"$(nproc)" -C tools/tests/libxlu check
make -j"$(nproc)" -C tools/tests/pcid check
