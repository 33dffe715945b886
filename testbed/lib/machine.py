#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run an emulated machine: boot it or continue a snapshot, give Dom0 its job.

usage: machine.py OPTION... -- EMULATOR ARGUMENT...

  --work DIR        directory of this run: the emulator runs in it, and finds the
                    initramfs there as "initrd"; removed at the end
  --initrd FILE     a part of the initramfs (repeat; the order counts)
  --job DIR         what Dom0 gets as /scenario, once the machine is ready
  --prepare FILE    commands that Dom0 carries out before that
  --console FILE    log of the first serial port
  --snapshots DIR   keep snapshots there, and use them; without it: boot
  --name NAME       topology, for the names of the snapshots
  --limit SECONDS   time limit, in real time
  --follow          show the console on stderr
  --semihosting     Dom0 has no serial port: see the class Files
  --terminal        pass on what is typed; Ctrl-A x ends the machine

Dom0 speaks through the second serial port.  It says "ready" and waits; that is
where snapshots are made.  The job is sent as a line "KIND SIZE" and an
archive (image/lib/role-dom0.sh), so the same snapshot serves all jobs.  Dom0
answers with one line; what follows is the job's output, which goes to stdout.

A snapshot is a file with the machine's memory, and after it the emulator's migration
stream, which has the state of the devices.  A machine that is continued maps the memory
privately: nothing is read that it does not touch.  The file's name is a digest of
everything that it depends on: the emulator, its arguments, the files that it boots, the
commands that prepared it.  A snapshot that does not work is removed, and the machine
boots.  Exit status: see testbed/run.
"""

import argparse
import fcntl
import hashlib
import io
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import termios
import time
import tty

HERE = os.path.dirname(os.path.abspath(__file__))

# Of query-migrate's states: it has not come to its end.
MIGRATING = "setup", "active", "pre-switchover", "device", "cancelling"

# Seconds, in real time: a busy machine takes a tenth of them.
ANSWER = 120            # of Dom0 to a job, which it unpacks
PREPARED = 300          # of Dom0 to commands, which may start guests
RESTORE = 60            # of the emulator that reads a snapshot
SAVE = 300              # of the emulator that writes one

# Domains that can get random numbers of their own: more than there is memory for
RENEWED = 32

# The oldest snapshots go if there are more bytes than this, or unused for so long.
KEEP_BYTES = 8 << 30
KEEP_SECONDS = 14 * 24 * 3600
# None is made if the disk has less room than this.
LEAVE_BYTES = 2 << 30

# Parts of the memory that are looked at for zeros
COPY_BYTES = 1 << 16

# What Dom0 says
READY, FAILED, BEGINS = b"testbed: ready\n", b"testbed: failed\n", b"testbed: begins\n"


def say(text):
    print("testbed: " + text, file=sys.stderr, flush=True)


class Trouble(Exception):
    """The machine did not do what it must; says what."""


class TimeUp(Exception):
    """The time limit of the whole run."""


# --- Snapshots ----------------------------------------------------------------

def sum_of(path, known):
    """Digest of a file's content.  `known` remembers it for as long as the file
    is the same one, which its ctime tells."""
    path = os.path.realpath(path)
    stat = os.stat(path)
    state = [stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    if known.get(path, [None])[0] != state:
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            while True:
                part = file.read(1 << 20)
                if not part:
                    break
                digest.update(part)
        known[path] = [state, digest.hexdigest()]
    return known[path][1]


class Snapshots:
    """The directory with the snapshots, and the digests of files."""

    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory, exist_ok=True)

    def sums(self, paths):
        cache = os.path.join(self.directory, "sums.json")
        try:
            with open(cache, encoding="utf-8") as file:
                known = json.load(file)
        except (OSError, ValueError):
            known = {}
        before = json.dumps(known)
        sums = [sum_of(path, known) for path in paths]
        if json.dumps(known) != before:
            fresh = {path: value for path, value in known.items() if os.path.exists(path)}
            mine = "%s.%d" % (cache, os.getpid())
            with open(mine, "w", encoding="utf-8") as file:
                json.dump(fresh, file)
            os.replace(mine, cache)
        return sums

    def path(self, name, inputs):
        key = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:32]
        return os.path.join(self.directory, "%s-%s" % (name, key))

    def make_room(self):
        """Remove what is too old or too much; snapshots in use stay readable."""
        files = []
        for name in os.listdir(self.directory):
            path = os.path.join(self.directory, name)
            try:
                stat = os.stat(path)
            except FileNotFoundError:
                continue
            if name.endswith(".new") and not being_written(path):
                remove(path)
            elif "-" in name and "." not in name:
                files.append((stat.st_mtime, stat.st_blocks * 512, path))
        total = 0
        for used, size, path in sorted(files, reverse=True):
            total += size
            if total > KEEP_BYTES or time.time() - used > KEEP_SECONDS:
                remove(path)


def being_written(path):
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:                     # its lock is held, or it has its final name
        return True
    return False


def remove(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def copy_memory(source, target, size):
    """From file to file, both from their beginnings; zeros stay holes."""
    end = 0
    while True:
        try:
            begin = os.lseek(source, end, os.SEEK_DATA)
        except OSError:                 # no more data
            return
        if begin >= size:
            return
        end = min(os.lseek(source, begin, os.SEEK_HOLE), size)
        for offset in range(begin, end, COPY_BYTES):
            data = os.pread(source, min(COPY_BYTES, end - offset), offset)
            if data.count(0) != len(data):
                os.pwrite(target, data, offset)


# --- The machine --------------------------------------------------------------

class Files:
    """In place of a serial port: files that Dom0 has the emulator open, read and
    write (src/host-port.c).  What it says goes through a pipe, what it is told is
    added to a file.
    """

    def __init__(self, directory):
        self.path = os.path.join(directory, "input")
        with open(self.path, "wb"):
            pass
        self.reader, self.writer = os.pipe()
        output = os.path.join(directory, "output")
        remove(output)
        # The emulator has it under the same number.
        os.symlink("/proc/self/fd/%d" % self.writer, output)

    def fileno(self):
        return self.reader

    def recv(self, size):
        return os.read(self.reader, size)

    def sendall(self, data):
        with open(self.path, "ab") as file:
            file.write(data)

    def started(self):
        """The emulator has it: its end is the end of the pipe."""
        os.close(self.writer)

    def close(self):
        if self.reader is not None:
            os.close(self.reader)
        self.reader = None


def without(command, *options):
    """The command without these options and their values."""
    left = [word for before, word in zip([""] + command, command)
            if word not in options and before not in options]
    return left


def memory_size(args):
    """Bytes that the emulated machine has."""
    return int(args.emulator[args.emulator.index("-m") + 1]) << 20


class Machine:
    """One emulator process, with its monitor and Dom0's serial port.

    It begins with the snapshot `incoming`, if there is one.  A snapshot can be made
    of it if `lasting`: its memory then is a file, `self.memory`, which we share.
    """

    def __init__(self, args, end, incoming=None, lasting=False):
        self.args, self.end = args, end
        self.seen = b""
        for name in "monitor", "console":
            remove(os.path.join(args.work, name))
        self.monitor_path = os.path.join(args.work, "monitor")
        command = args.emulator + [
            "-chardev", "socket,id=console,path=console,server=on,wait=off,"
                        "logfile=%s,logappend=on" % args.console,
            "-chardev", "socket,id=monitor,path=monitor,server=on,wait=off",
            "-mon", "chardev=monitor,mode=control",
            "-serial", "chardev:console"]
        if args.semihosting:
            self.port = Files(args.work)
            fds = [self.port.writer]
            started = self.port.started
        else:
            self.port, its = socket.socketpair()
            fds = [its.fileno()]
            started = its.close
            command += ["-chardev", "socket,id=output,fd=%d" % its.fileno(),
                        "-serial", "chardev:output"]
        self.snapshot = self.memory = None
        if incoming:
            # All memory comes with the snapshot: there is nothing to load.
            command = without(command, "-kernel", "-append", "-initrd")
            command += ["-incoming", "defer"]
            self.snapshot = os.open(incoming, os.O_RDWR)
        if lasting:
            self.memory = os.memfd_create("memory")
            os.ftruncate(self.memory, memory_size(args))
            if incoming:
                copy_memory(self.snapshot, self.memory, memory_size(args))
        memory = self.memory if lasting else self.snapshot
        if memory is not None:
            fds.append(memory)
            command += ["-object", "memory-backend-file,id=memory,size=%d,share=%s,"
                                   "mem-path=/proc/self/fd/%d"
                                   % (memory_size(args), "on" if lasting else "off", memory),
                        "-machine", "memory-backend=memory"]
        # In our process group: whoever ends it ends the emulator, too.  In the
        # directory, because the path of a socket must be short.
        self.process = subprocess.Popen(command, cwd=args.work, stdin=subprocess.DEVNULL,
                                        stdout=sys.stderr, pass_fds=fds)
        started()
        self.monitor = self.connection = None

    def left(self, most=None):
        """Seconds that a step may take."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeUp()
        return left if most is None else min(left, most)

    # The monitor

    def connect(self):
        end = time.monotonic() + RESTORE
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(self.monitor_path)
                break
            except OSError as error:
                connection.close()
                if self.process.poll() is not None:
                    raise Trouble("the emulator ended with status %d"
                                  % self.process.returncode) from error
                if time.monotonic() > end:
                    raise Trouble("the emulator's monitor: %s" % error) from error
                time.sleep(0.02)        # until the emulator has made the socket
        connection.settimeout(SAVE)
        self.connection, self.monitor = connection, connection.makefile(encoding="utf-8")
        self.line()                     # its greeting
        self.command("qmp_capabilities")

    def disconnect(self):
        if self.monitor:
            self.monitor.close()
            self.connection.close()
        self.monitor = None

    def line(self):
        try:
            text = self.monitor.readline()
        except OSError as error:
            raise Trouble("the emulator's monitor: %s" % error) from error
        if not text:
            raise Trouble("the emulator ended")
        return json.loads(text)

    def command(self, name, **arguments):
        self.connection.sendall(json.dumps({"execute": name, "arguments": arguments}).encode())
        return self.reply(name)

    def reply(self, name):
        while True:
            reply = self.line()
            if "error" in reply:
                raise Trouble("%s: %s" % (name, reply["error"]["desc"]))
            if "return" in reply:
                return reply["return"]

    def prepare_migration(self, fd):
        """The emulator is to leave out the memory that it shares, and to have the file
        under the name "snapshot", behind the memory."""
        self.command("migrate-set-capabilities",
                     capabilities=[{"capability": name, "state": True}
                                   for name in ("events", "x-ignore-shared")])
        os.lseek(fd, memory_size(self.args), os.SEEK_SET)
        text = json.dumps({"execute": "getfd", "arguments": {"fdname": "snapshot"}})
        socket.send_fds(self.connection, [text.encode()], [fd])
        self.reply("getfd")

    def await_migration(self, seconds):
        """Until the stream is read or written: the emulator tells by an event."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            status = self.command("query-migrate").get("status", "none")
            if status == "completed":
                return
            if status in ("failed", "cancelled"):
                raise Trouble("the emulator cannot use the snapshot")
            while "event" not in self.line():
                pass
        raise Trouble("no snapshot within %d s" % seconds)

    def end_migration(self):
        """Not before it has ended does "cont" last."""
        self.command("migrate_cancel")
        while self.command("query-migrate").get("status", "none") in MIGRATING:
            while "event" not in self.line():
                pass

    def await_status(self, wanted):
        """The emulator has no event for each change of it."""
        end = time.monotonic() + RESTORE
        while self.command("query-status")["status"] != wanted:
            if time.monotonic() > end:
                raise Trouble("the emulator is not %s within %d s" % (wanted, RESTORE))
            time.sleep(0.02)

    def save(self, path):
        """A snapshot of the machine, which waits for its job; it goes on after."""
        new = "%s.%d.new" % (path, os.getpid())
        self.connect()
        try:
            with open(new, "wb") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                self.prepare_migration(file.fileno())
                self.command("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
                self.command("stop")
                self.command("migrate", uri="fd:snapshot")
                self.await_migration(SAVE)
                self.await_status("postmigrate")
                copy_memory(self.memory, file.fileno(), memory_size(self.args))
                self.command("cont")
                os.replace(new, path)
        finally:
            remove(new)
            self.disconnect()

    def restore(self):
        """Read the snapshot, and let the machine go on."""
        self.connect()
        try:
            self.prepare_migration(self.snapshot)
            self.command("migrate-incoming", uri="fd:snapshot")
            self.await_status("paused")
            self.command("cont")
        finally:
            self.disconnect()

    # Dom0's serial port

    def read(self, seconds):
        if not select.select([self.port], [], [], seconds)[0]:
            return None
        try:
            return self.port.recv(65536)
        except ConnectionError:
            return b""

    def expect(self, *lines, most=None):
        """Which of these lines Dom0 says next."""
        begin = time.monotonic()
        while b"\n" not in self.seen:
            seconds = self.left(None if most is None else begin + most - time.monotonic())
            part = self.read(max(0, seconds))
            if part is None and most is not None and time.monotonic() - begin >= most:
                raise Trouble("Dom0 does not answer")
            if part == b"":
                return None             # the machine has ended
            self.seen += part or b""
        line, _, self.seen = self.seen.partition(b"\n")
        line += b"\n"
        if line not in lines:
            raise Trouble("Dom0 said: %r" % line)
        return line

    def send(self, kind, archive):
        head = "%s %d\n" % (kind, len(archive))
        self.port.sendall(head.encode() + archive)

    # Its end

    def status(self):
        self.port.close()
        return self.process.wait()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.port.close()
        self.disconnect()
        for fd in self.snapshot, self.memory:
            if fd is not None:
                os.close(fd)
        self.snapshot = self.memory = None


# --- A job --------------------------------------------------------------------

def archive_of(directory):
    """The files of a directory, and a clock and random numbers of this run: a line
    for Dom0 and each domain that there may be."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.USTAR_FORMAT) as tar:
        if directory:
            for name in sorted(os.listdir(directory)):
                tar.add(os.path.join(directory, name), name)
        fresh = "%d\n" % time.time() + "".join(os.urandom(64).hex() + "\n" for _ in range(RENEWED))
        info = tarfile.TarInfo("fresh")
        info.size = len(fresh)
        tar.addfile(info, io.BytesIO(fresh.encode()))
    return buffer.getvalue()


def prepare_archive(path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.USTAR_FORMAT) as tar:
        tar.add(path, "prepare")
    return buffer.getvalue()


class Run:
    """From the snapshot or the boot to the end of the job."""

    def __init__(self, args):
        self.args = args
        self.end = time.monotonic() + args.limit
        self.machine = None
        self.snapshots = Snapshots(args.snapshots) if args.snapshots else None
        self.ready = self.prepared = None
        if self.snapshots:
            self.name_snapshots()

    def name_snapshots(self):
        args = self.args
        emulator = shutil.which(args.emulator[0])
        if not emulator:
            return
        files = [os.path.abspath(__file__), emulator, *args.initrd]
        # What the arguments name: hypervisor, kernel, policy.
        for argument in args.emulator[1:]:
            for word in argument.replace(",", " ").split():
                if word.startswith("/") and os.path.isfile(word):
                    files.append(word)
        version = subprocess.run([emulator, "--version"], stdout=subprocess.PIPE,
                                 check=False).stdout.decode(errors="replace")
        inputs = [version, self.snapshots.sums(files), args.emulator]
        self.ready = self.snapshots.path(args.name, inputs)
        if args.prepare:
            with open(args.prepare, encoding="utf-8") as file:
                inputs.append(file.read())
            self.prepared = self.snapshots.path(args.name + "-prepared", inputs)

    def log(self, text):
        with open(self.args.console, "a", encoding="utf-8") as file:
            file.write("testbed: %s\n" % text)

    # Ready

    def restore(self, path, lasting):
        """Whether the machine of the snapshot is there, and has its job."""
        if not os.path.exists(path):
            return False
        begin = time.monotonic()
        try:
            self.machine = Machine(self.args, self.end, path, lasting)
            self.machine.restore()
            os.utime(path)
            self.log("continued from %s after %.1f s"
                     % (os.path.basename(path), time.monotonic() - begin))
            return True
        except (Trouble, OSError, ValueError) as trouble:
            self.discard(path, trouble)
            return False

    def discard(self, path, trouble):
        say("the snapshot %s does not work (%s); removed, booting"
            % (os.path.basename(path), trouble))
        if self.machine:
            self.machine.kill()
        remove(path)

    def boot(self):
        """Whether the machine got as far as waiting for its job."""
        with open(os.path.join(self.args.work, "initrd"), "wb") as to:
            for part in self.args.initrd:
                with open(part, "rb") as file:
                    shutil.copyfileobj(file, to, 1 << 20)
        self.machine = Machine(self.args, self.end, lasting=self.ready is not None)
        return self.machine.expect(READY) is not None

    def save(self, path):
        if not path or os.path.exists(path):
            return
        with open(path.rpartition("-")[0] + ".lock", "w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return                  # another run is making it
            if os.path.exists(path):
                return
            self.snapshots.make_room()
            stat = os.statvfs(self.snapshots.directory)
            if stat.f_bavail * stat.f_frsize < LEAVE_BYTES:
                say("no snapshot is made: the disk is nearly full")
                return
            begin = time.monotonic()
            try:
                self.machine.save(path)
            except (Trouble, OSError) as trouble:
                say("no snapshot can be made (%s): each run boots" % trouble)
                if self.machine.process.poll() is None:
                    self.carry_on()
                return
            self.log("snapshot %s made in %.1f s"
                     % (os.path.basename(path), time.monotonic() - begin))

    def carry_on(self):
        """After a snapshot that has failed"""
        self.machine.connect()
        try:
            self.machine.end_migration()
            if self.machine.command("query-status")["status"] != "running":
                self.machine.command("cont")
        finally:
            self.machine.disconnect()

    def hand_over(self, kind, archive, *answers, most=None):
        """Send it; Dom0's answer.  None: the machine has ended."""
        self.machine.send(kind, archive)
        return self.machine.expect(*answers, most=most)

    def start(self):
        """The machine with its job; False if it ended before."""
        job = archive_of(self.args.job)
        prepare = prepare_archive(self.args.prepare) if self.args.prepare else None
        # The further the better; a boot comes last, and needs no snapshot.
        sources = [(path, later) for path, later in ((self.prepared, None),
                                                     (self.ready, prepare)) if path]
        for source, prepare_now in sources + [(None, prepare)]:
            if source and not self.restore(source, lasting=prepare_now is not None):
                continue
            if not source:
                if not self.boot():
                    return False
                self.save(self.ready)
            try:
                if prepare_now:
                    answer = self.hand_over("prepare", prepare_now, READY, FAILED,
                                            most=PREPARED if source else None)
                    if answer == READY:
                        self.save(self.prepared)
                    elif answer is None:
                        return False
                    else:
                        say("the scenario's preparation failed; see " + self.args.console)
                return self.hand_over("job", job, BEGINS,
                                      most=ANSWER if source else None) is not None
            except Trouble as trouble:
                if not source:
                    raise
                self.discard(source, trouble)
        return False

    # The job

    def pass_on(self):
        """Output to stdout, and from the terminal, to the end of the machine.
        Returns whether somebody at the terminal has ended it."""
        port, sources = self.machine.port, [self.machine.port]
        if self.machine.seen:
            os.write(1, self.machine.seen)
        if self.args.terminal:
            sources.append(sys.stdin)
        escaped = False
        while True:
            ready = select.select(sources, [], [], self.machine.left())[0]
            if port in ready:
                data = self.machine.read(0)
                if not data:
                    return False
                write_all(data)
            if sys.stdin in ready:
                typed = os.read(0, 256)
                out = b""
                if not typed:           # not a terminal: as Ctrl-D at one
                    sources.remove(sys.stdin)
                    out = b"\x04"
                for byte in typed:
                    if escaped and byte in b"xX":
                        return True
                    if byte == 1 and not escaped:
                        escaped = True
                        continue
                    escaped = False
                    out += bytes([byte])
                port.sendall(out)

    def last_words(self):
        say("time limit of %d s reached. What the machine says of itself is at the end of"
            % self.args.limit)
        say("%s, in short:" % self.args.console)
        self.machine.disconnect()
        done = subprocess.run([os.path.join(HERE, "last_words.py"), "monitor", "console",
                               self.args.console], cwd=self.args.work, stdout=sys.stderr,
                              check=False)
        return 125 if done.returncode == 3 else 124

    def outcome(self, status):
        """testbed/run's exit status from the emulator's."""
        console = self.args.console
        if status > 1 and status != 255:
            return (status - 1) // 2 - 1
        with open(console, encoding="utf-8", errors="replace") as file:
            sys.stderr.write("".join(file.readlines()[-30:]))
        if status == 255:
            say("the topology could not be set up, see above; console: " + console)
        else:
            say("the machine stopped (panic or power-off) before the scenario ended; "
                "console: " + console)
        return 126

    def run(self):
        try:
            if self.start():
                with Terminal(self.args.terminal):
                    if self.pass_on():
                        return 0
            return self.outcome(self.machine.status())
        except Trouble as trouble:
            say("%s; console: %s" % (trouble, self.args.console))
            return 126
        except TimeUp:
            return self.last_words()
        finally:
            if self.machine:
                self.machine.kill()


class Terminal:
    """Keys as they are typed, while this lasts."""

    def __init__(self, wanted):
        self.before = termios.tcgetattr(0) if wanted and os.isatty(0) else None

    def __enter__(self):
        if self.before:
            tty.setraw(0)

    def __exit__(self, *_):
        if self.before:
            termios.tcsetattr(0, termios.TCSADRAIN, self.before)


def write_all(data):
    while data:
        data = data[os.write(1, data):]


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    for name in "work", "console":
        parser.add_argument("--" + name, required=True)
    for name in "job", "prepare", "snapshots":
        parser.add_argument("--" + name)
    parser.add_argument("--name", default="machine")
    parser.add_argument("--initrd", action="append", default=[])
    parser.add_argument("--limit", type=float, default=10 ** 9)
    parser.add_argument("--follow", action="store_true")
    parser.add_argument("--semihosting", action="store_true")
    parser.add_argument("--terminal", action="store_true")
    parser.add_argument("emulator", nargs="+")
    return parser.parse_args()


def main():
    args = arguments()
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, lambda *_: sys.exit(130))
    follower = None
    try:
        with open(args.console, "w", encoding="utf-8"):
            pass
        if args.follow:
            follower = subprocess.Popen(["tail", "-f", args.console], stdout=sys.stderr)
        return Run(args).run()
    except BrokenPipeError:
        return 130
    finally:
        if follower:
            follower.kill()
            follower.wait()
        shutil.rmtree(args.work, ignore_errors=True)


sys.exit(main())
