# SPDX-License-Identifier: GPL-2.0-only
"""What the python scripts of this directory share: places, messages, git.

Messages for people go to stderr; stdout is for results, so that scripts can
be used in $(...).  An error says what failed, why, and what to do about it.
"""

import contextlib
import fcntl
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The one ignored directory that holds everything that is cached or temporary.
BUILD = os.environ.get("PCID_BUILD") or os.path.join(ROOT, ".build")
PROG = os.path.basename(sys.argv[0])

# The Xen series that the project is written for: what an unqualified diff in
# series/ applies to.
DEFAULT_SERIES = "4.20"
# Used when BASE is not given and nothing of DEFAULT_SERIES can be fetched; and
# tested a little even if it can.
FALLBACK_SERIES = "4.17"

# Commits that tools make carry this identity and date, so that the same input
# gives the same commit id on every machine.
IDENT_NAME = "xl pcid series"
IDENT_EMAIL = "nobody@invalid"
IDENT_DATE = "1735689600 +0000"


class Failure(Exception):
    """An error for the user: what failed, why, and what to do."""

    def __init__(self, what, why="", todo=""):
        super().__init__(what)
        self.what, self.why, self.todo = what, why, todo

    def text(self):
        def block(label, body):
            lines = body.rstrip("\n").split("\n")
            return "".join("\n  %-4s %s" % (label if i == 0 else "", line)
                           for i, line in enumerate(lines))
        return ("%s: %s" % (PROG, self.what)
                + (block("why:", self.why) if self.why else "")
                + (block("do:", self.todo) if self.todo else ""))


def say(text):
    print("%s: %s" % (PROG, text), file=sys.stderr, flush=True)


def run_main(main):
    """Run a script's main(); turn a Failure into a message and status 1."""
    try:
        sys.exit(main())
    except Failure as failure:
        print(failure.text(), file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("%s: interrupted" % PROG, file=sys.stderr)
        sys.exit(130)


def shown(path):
    """A path as a user would type it from the project's directory."""
    rel = os.path.relpath(path, ROOT)
    return path if rel.startswith("..") else rel


def run(args, check=True, stdin=None, env=None, cwd=None, binary=False):
    """Run a command, return the completed process with its output captured.
    check=False is for commands whose exit status is an answer: a command that a
    signal ended has given none.
    """
    full = dict(os.environ, LC_ALL="C", **(env or {}))
    if isinstance(stdin, str):
        stdin = stdin.encode()
    proc = subprocess.run(args, input=stdin if stdin is not None else b"",
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=full, cwd=cwd, check=False)
    if not binary:
        proc.stdout = proc.stdout.decode(errors="surrogateescape")
    proc.stderr = proc.stderr.decode(errors="replace")
    if proc.returncode < 0 or (check and proc.returncode != 0):
        raise failure_of(proc)
    return proc


def failure_of(proc):
    """What a command said that failed."""
    out = proc.stdout if isinstance(proc.stdout, str) else ""
    how = ("status %d" if proc.returncode > 0 else "signal %d") % abs(
        proc.returncode)
    return Failure("the command failed (%s): %s" % (how, " ".join(proc.args)),
                   (proc.stderr or out).strip())


class Git:
    """Git in one repository, deaf to the user's configuration: hooks, signing
    keys and aliases must not change what the tools do or the bytes they write.
    """

    ENV = {
        "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": IDENT_NAME, "GIT_AUTHOR_EMAIL": IDENT_EMAIL,
        "GIT_AUTHOR_DATE": IDENT_DATE,
        "GIT_COMMITTER_NAME": IDENT_NAME, "GIT_COMMITTER_EMAIL": IDENT_EMAIL,
        "GIT_COMMITTER_DATE": IDENT_DATE,
    }
    # Set by git itself when a script is called from a hook or an alias.
    STRAY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX",
             "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_NAMESPACE")

    def __init__(self, path, **env):
        self.path = path
        self.env = dict(self.ENV, **env)
        for name in self.STRAY:
            os.environ.pop(name, None)

    def with_env(self, **env):
        return Git(self.path, **dict(self.env, **env))

    def run(self, *args, check=True, stdin=None, binary=False):
        return run(["git", "-C", self.path, "-c", "core.hooksPath=/dev/null",
                    "-c", "gc.auto=0", "-c", "core.autocrlf=false",
                    "-c", "advice.detachedHead=false",
                    "-c", "core.quotePath=false", *args],
                   check=check, stdin=stdin, env=self.env, binary=binary)

    def out(self, *args, **kw):
        return self.run(*args, **kw).stdout.rstrip("\n")

    def ok(self, *args):
        """Whether git answers yes: status 0, and not 1.  Another is a failure."""
        proc = self.run(*args, check=False)
        if proc.returncode not in (0, 1):
            raise failure_of(proc)
        return proc.returncode == 0

    def lines(self, *args, **kw):
        text = self.run(*args, **kw).stdout
        return [item for item in text.split("\0" if "-z" in args else "\n")
                if item]

    def ref(self, name):
        """The commit that a ref names, or None if there is no such ref."""
        proc = self.run("rev-parse", "--verify", name + "^{commit}",
                        check=False)
        if proc.returncode == 0:
            return proc.stdout.strip()
        if proc.stderr.strip() != "fatal: Needed a single revision":
            raise failure_of(proc)
        return None

    def commit_tree(self, tree, parent, message):
        args = ["commit-tree", tree] + (["-p", parent] if parent else [])
        return self.out(*args, stdin=message.encode(errors="surrogateescape"))


def xen_series(makefile_text):
    """"4.20" from the text of xen/Makefile, or None."""
    found = [re.search(r"^\s*export\s+%s\s*:?=\s*(\d+)\s*$" % name,
                       makefile_text, re.M)
             for name in ("XEN_VERSION", "XEN_SUBVERSION")]
    if None in found:
        return None
    return ".".join(match.group(1) for match in found)


def write_if_changed(path, data, executable=None):
    """Write bytes atomically, but leave an equal file (and its time) alone."""
    try:
        with open(path, "rb") as old:
            same = old.read() == data
    except FileNotFoundError:
        same = False
    if not same:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "wb") as new:
            new.write(data)
        os.replace(path + ".new", path)
    if executable is not None:
        mode = os.stat(path).st_mode & 0o777
        want = (mode | 0o111) if executable else (mode & ~0o111)
        if mode != want:
            os.chmod(path, want)
            same = False
    return not same


def base_used():
    """The Xen that .build/tree is on, in words; "" if there is none yet."""
    try:
        with open(os.path.join(BUILD, "base-used"), encoding="utf-8") as used:
            return used.read().strip()
    except FileNotFoundError:
        return ""


def older_than(path, seconds):
    try:
        return time.time() - os.stat(path).st_mtime > seconds
    except FileNotFoundError:
        return True


@contextlib.contextmanager
def lock(name):
    """Only one process at a time may do what `name` says."""
    os.makedirs(BUILD, exist_ok=True)
    with open(os.path.join(BUILD, name + ".lock"), "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another run that holds %s" % shown(handle.name))
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
