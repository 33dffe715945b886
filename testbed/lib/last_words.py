#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a machine that hangs has to say.

usage: last_words.py MONITOR CONSOLE LOG

MONITOR (QMP) and CONSOLE are sockets of the emulator, which writes what comes
from the console to the file LOG.  The monitor says where the processors are;
that is added to the log.  Xen, asked on the console, says what its domains wait
for, and the kernel that has the console, the hardware domain's, what its
processes do.  On stdout: the gist of it.

Status 3: the emulator hangs.  At times, QEMU's emulation of SVM never ends what
the firmware of an HVM guest does, in real mode, while no emulated time passes;
then Xen does not answer either.
"""

import json
import re
import socket
import sys
import time

DOMAINS = 8             # that Xen has built, at most: on Arm64, each listens in turn
SILENCE = 1             # seconds after which no more is expected
LIMIT = 60              # seconds for one answer

# Three times Ctrl-A is for Xen to listen, or the next domain.  Each key is a report
# of Xen's: registers, domains, run queues, event channels, interrupts, timers.
# After Ctrl-O it is one for the kernel (its sysrq.rst): to say all, all processes.
SWITCH = b"\x01\x01\x01"
QUESTIONS = [b"d", b"q", b"r", b"e", b"i", b"a", SWITCH, b"\x0f7", b"\x0ft"]


def connected(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(SILENCE)
    connection.connect(path)
    return connection


def processors(path):
    """Where they are: in Xen, a kernel, a process; whether they wait."""
    with connected(path) as connection, connection.makefile("rw") as monitor:
        monitor.readline()              # its greeting
        for command, arguments in (
                ("qmp_capabilities", {}),
                ("human-monitor-command",
                 {"command-line": "info registers -a"})):
            json.dump({"execute": command, "arguments": arguments}, monitor)
            monitor.flush()
            while True:
                reply = json.loads(monitor.readline())
                if "event" not in reply:
                    break
    return reply["return"].replace("\r", "")


def answer(connection, question):
    """What comes, until nothing more does."""
    said = b""
    connection.sendall(question)
    end = time.monotonic() + LIMIT
    try:
        while time.monotonic() < end:
            part = connection.recv(4096)
            if not part:
                break
            said += part
    except socket.timeout:
        pass
    return said


def ask(path):
    with connected(path) as connection:
        for _ in range(DOMAINS):
            if b"input to Xen" in answer(connection, SWITCH):
                break
        for question in QUESTIONS:
            answer(connection, question)


def attempt(function, path):
    try:
        return function(path) or ""
    except (OSError, LookupError, ValueError) as error:
        return "%s: %s" % (path, error)


def gist(registers, said):
    """A line for each processor, and for each domain."""
    for number, where, halted in re.findall(
            r"^CPU#(\d+).*?^RIP=(\w+).*?HLT=(\d)", registers, re.M | re.S):
        print("processor %s: %s %s" % (
            number, "halted at" if halted == "1" else "at", where))
    for domain in said.split("General information for domain ")[1:]:
        for state in re.findall(r"(VCPU\d+: .*?) *\n.*?(pause_flags=\d+)",
                                domain):
            print("domain %s %s %s" % (domain.split(":")[0], *state))


def in_real_mode(registers):
    """Where processors are that execute 16-bit code, which only HVM guests do."""
    return re.findall(r"^EIP=(\w+).*?^CS =(\w+)", registers, re.M | re.S)


def main():
    monitor, console, path = sys.argv[1:]
    with open(path, "a+", encoding="utf-8", errors="replace") as log:
        begin = log.seek(0, 2)
        # Two times: whether they are still there tells who waits, and who is busy.
        before = attempt(processors, monitor)
        said = attempt(ask, console)
        after = attempt(processors, monitor)
        print(before, said, after, sep="\n", file=log, flush=True)
        log.seek(begin)
        said = log.read()
        gist(before, said)
    places = in_real_mode(before)
    if "General information for domain" not in said and places and places == in_real_mode(after):
        print("the emulator hangs: Xen does not answer, an HVM guest stays where it is")
        return 3
    return 0


sys.exit(main())
