#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Give a kernel another limit of memory: hotplug_limit.py VMLINUX GIGABYTES

When a PV domain boots, Linux goes through a table with an entry for each page of memory that
it could ever have. The limit is compiled in (CONFIG_XEN_MEMORY_HOTPLUG_LIMIT), and distributions
have 512 GB: of the 9 s in which an emulated guest boots, 5.4 s. This writes another number into
the code of xen_vmalloc_p2m_tree, found by the only message that refers to it. Where the code is
not as expected, the kernel stays as it is: it only takes longer.
"""

import re
import struct
import sys

MESSAGE = b"p2m virtual area at %p, size is %lx\n"
PAGES_OF_A_GIGABYTE = 1 << 18
LIMIT = 512
# The comparison with the limit comes at most so many bytes of code before the message.
NEAR = 100
LOADED = 1      # PT_LOAD


def address(image, offset):
    """The virtual address of what is at the offset in an ELF file of 64 bits."""
    first, = struct.unpack_from("<Q", image, 32)
    number, = struct.unpack_from("<H", image, 56)
    for n in range(number):
        kind, _, start, virtual, _, size = struct.unpack_from("<IIQQQQ", image, first + 56 * n)
        if kind == LOADED and start <= offset < start + size:
            return virtual + offset - start
    return None


def places(what, image, start=0, end=None):
    return [start + found.start() for found in re.finditer(re.escape(what), image[start:end])]


def limit_place(image):
    """Where the number is in the file, or None."""
    messages = places(MESSAGE, image)
    if len(messages) != 1 or image[:5] != b"\x7fELF\x02":
        return None
    # With the level of the message, two bytes, before it.
    message = address(image, messages[0] - 2)
    if message is None:
        return None
    users = places(struct.pack("<I", message & 0xffffffff), image)
    if len(users) != 1:
        return None
    limits = places(struct.pack("<I", LIMIT * PAGES_OF_A_GIGABYTE), image, users[0] - NEAR, users[0])
    return limits[0] if len(limits) == 1 else None


def main(file, gigabytes):
    with open(file, "r+b") as kernel:
        place = limit_place(kernel.read())
        if place is None:
            print("hotplug_limit: not the expected code: the kernel keeps its limit of memory")
            return
        kernel.seek(place)
        kernel.write(struct.pack("<I", int(gigabytes) * PAGES_OF_A_GIGABYTE))


main(*sys.argv[1:])
