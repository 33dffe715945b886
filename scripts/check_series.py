# SPDX-License-Identifier: GPL-2.0-only
"""`scripts/stack check`: is each patch of the series fit for a reviewer?

Style is checked for each patch; with --build, each is built with each compiler
(Xen's tools are built with -Werror), and with --tests its unit tests are run;
with --parts, only the last of each part of the series.
Prints TAP: a line per patch and compiler.
"""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

from common import (BUILD, Failure, Git, failure_of, run, say, shown,
                    write_if_changed)
from patchstack import letter_of, read_parts, read_stack, read_text, some

WORK = os.path.join(BUILD, "check-series")
LOGS = os.path.join(BUILD, "log", "check-series")

UNIT_TESTS = "tools/tests/pcid"
# These have come earlier in the stack.
PARSER_TESTS = "tools/tests/libxlu"
UNIT_TIME_LIMIT = 900

# Nothing of Xen but the tools is built here.
CONFIGURE = ["./configure", "--disable-docs", "--disable-stubdom",
             "--disable-golang", "--disable-ocamltools", "--disable-pvshim",
             "--disable-seabios", "--disable-ovmf", "--disable-ipxe",
             "--disable-rombios", "--enable-systemd=no",
             "--with-system-qemu=/usr/bin/qemu-system-x86_64"]
# What these contain decides about the result of configure.
CONFIGURE_INPUT = ("configure", "tools/configure", "tools/config.h.in",
                   "config", "m4")

UNOPTIMISED = "EXTRA_CFLAGS_XEN_TOOLS=-O0 -g0"
MAKE_OPTIONS = {
    "gcc": [],
    # clang's warnings come from its front end: optimising is lost time here.
    "clang": ["clang=y", UNOPTIMISED],
}


class Tap:
    """Numbered result lines, from any thread."""

    def __init__(self):
        self.count = self.failed = 0
        self.lock = threading.Lock()

    def result(self, good, what, comment=()):
        with self.lock:
            self.count += 1
            self.failed += not good
            print("%sok %d - %s" % ("" if good else "not ", self.count, what))
            for line in comment:
                print("# " + line)
            sys.stdout.flush()


    def relay(self, name, lines):
        """Results of another TAP producer, with its comments, as ours."""
        seen = {"all": 0, "bad": 0}
        for line in lines:
            match = re.match(r"(not )?ok\b *\d* *-? *(.*)$", line)
            if match:
                seen["all"] += 1
                seen["bad"] += match.group(1) is not None
                self.result(match.group(1) is None,
                            "%s: %s" % (name, match.group(2)))
            elif line.startswith("#") or "ERROR: " in line:
                print("# " + line.rstrip("\n").lstrip("# "))
        return seen


# --- Style --------------------------------------------------------------------

MAX_LINE = 80
MAX_SUBJECT = 72
MAX_MESSAGE_LINE = 76
C_FILE = re.compile(r"\.[ch]$")
# Tables and links cannot be folded, nor can what tests are fed with.
LONG_LINES = re.compile(r"\.(pandoc|md)$|^tools/fuzz/[^/]+/(corpus|regress)/")


def style_errors(git, patch, parent, commit):
    errors = []

    def error(place, text):
        errors.append("%s: %s" % (place, text))

    lines = patch.message.rstrip("\n").split("\n")
    if not re.match(r"\S[^:]*: \S", lines[0]):
        error("subject", 'not of the form "area: what it does": ' + lines[0])
    if len(lines[0]) > MAX_SUBJECT:
        error("subject", "longer than %d: %s" % (MAX_SUBJECT, lines[0]))
    if len(lines) < 3 or lines[1]:
        error("message", "no body after the subject and an empty line")
    for line in lines[1:]:
        if len(line) > MAX_MESSAGE_LINE and " " in line.strip():
            error("message", "longer than %d: %s" % (MAX_MESSAGE_LINE, line))

    proc = git.run("-c", "core.whitespace=default", "diff-tree", "--check",
                   "--no-renames", parent, commit, check=False)
    if proc.returncode not in (0, 2):   # 2: it has found something
        raise failure_of(proc)
    errors += [line for line in proc.stdout.split("\n")
               if re.match(r"\S+:\d+: ", line)]

    # Lines that a patch only moves are as they were.
    moved = set(re.findall(r"^-(.*)$", patch.diffs[None], re.M))
    for path, (_, data) in sorted(patch.adds.items()):
        text = data.decode(errors="replace")
        added = text.split("\n")
        if C_FILE.search(path):
            if "SPDX-License-Identifier:" not in "".join(added[:3]):
                error(path, "no SPDX-License-Identifier in its first lines")
        if text and not text.endswith("\n"):
            error(path, "no newline at its end")
        for number, line in enumerate(added, 1):
            place = "%s:%d" % (path, number)
            if line in moved:
                continue
            if C_FILE.search(path) and "\t" in line:
                error(place, "a tab")
            if len(line) > MAX_LINE and not LONG_LINES.search(path):
                error(place, "longer than %d" % MAX_LINE)
    path = ""
    for line in patch.diffs[None].split("\n"):
        if line.startswith("+++ "):
            path = line[len("+++ b/"):]
        elif (line.startswith("+") and C_FILE.search(path)
              and line[1:] not in moved):
            if "\t" in line and path.startswith(("tools/libs/light/",
                                                 "tools/xl/")):
                error(path, "a tab: " + line)
            if len(line) > MAX_LINE + 1:
                error(path, "longer than %d: %s" % (MAX_LINE, line))
    return errors


def letter_errors(letter):
    errors = []
    for number, line in enumerate(read_text(letter).split("\n"), 1):
        if len(line) > MAX_MESSAGE_LINE:
            errors.append("line %d: longer than %d" % (number,
                                                       MAX_MESSAGE_LINE))
        if re.search(r"\s$", line):
            errors.append("line %d: ends in a space" % number)
    return errors


# --- Generated files ----------------------------------------------------------

# What autoconf reads to make tools/configure
CONFIGURE_SOURCE = ("tools/configure.ac", "m4", "version.sh", "xen/Makefile")


def autoconf_of(text):
    """(the version that made a configure, the program of that version here)"""
    match = re.search(r"^# Generated by GNU Autoconf ([0-9.]+[0-9])", text,
                      re.M)
    version = match.group(1) if match else "?"
    for program in ("autoconf" + version, "autoconf"):
        try:
            proc = run([program, "--version"], check=False)
        except FileNotFoundError:
            continue
        if proc.stdout.split("\n", 1)[0].endswith(" " + version):
            return version, program
    return version, None


def changed_lines(old, new):
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="tmp-") as tmp:
        for name, text in (("old", old), ("new", new)):
            with open(os.path.join(tmp, name), "w", encoding="utf-8",
                      errors="surrogateescape") as handle:
                handle.write(text)
        proc = run(["diff", "old", "new"], check=False, cwd=tmp)
    return [line for line in proc.stdout.split("\n")
            if line.startswith(("< ", "> "))]


def generate(git, program, commit):
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="tmp-") as tmp:
        archive = git.run("archive", commit, *CONFIGURE_SOURCE, binary=True)
        run(["tar", "-x", "-C", tmp], stdin=archive.stdout)
        proc = run([program, "-f", "-o", "-"], cwd=os.path.join(tmp, "tools"))
    return proc.stdout


def check_generated(tap, git, patch, parent, commit):
    """Does tools/configure change as tools/configure.ac does?  Not: is it what
    autoconf makes of it, since some committers' autoconf is patched.
    """
    touched = git.lines("diff-tree", "-r", "--name-only", parent, commit,
                        "--", "tools/configure", *CONFIGURE_SOURCE)
    if not touched:
        return
    what = "%s regenerates tools/configure" % patch.name
    old, new = (git.run("show", rev + ":tools/configure").stdout
                for rev in (parent, commit))
    version, program = autoconf_of(old)
    if not program:
        tap.result(True, "%s # SKIP there is no autoconf %s" % (what, version))
        return
    want = changed_lines(generate(git, program, parent),
                         generate(git, program, commit))
    have = changed_lines(old, new)
    wrong = (["missing: " + line for line in want if line not in have]
             + ["not by %s: %s" % (program, line) for line in have
                if line not in want])
    tap.result(want == have, what, [line[:300] for line in wrong[:20]])


# --- Building -----------------------------------------------------------------

# Of ls-tree's lines: what neither the libraries nor xl are built from
NOT_BUILT = re.compile(r"\t(docs|automation|[A-Z]+(\.md)?"
                       r"|tools/(fuzz|flask|tests))$")


class Builder:
    """A build directory for one compiler, moved from patch to patch, so that
    only what a patch changes is compiled again.
    """

    configure_command = CONFIGURE

    def __init__(self, compiler, tree, unoptimised=False):
        self.compiler, self.jobs = compiler, os.cpu_count() or 1
        self.options = MAKE_OPTIONS[compiler]
        self.unoptimised = unoptimised
        if unoptimised and UNOPTIMISED not in self.options:
            self.options = self.options + [UNOPTIMISED]
        self.path = os.path.join(WORK, "%s-%s" % (compiler, tree.series))
        os.makedirs(self.path, exist_ok=True)
        self.git = Git(self.path)
        self.git.run("init", "-q", "-b", "none")
        self.source = tree.path
        proc = run([compiler, "--version"], check=False)
        if proc.returncode != 0:
            raise Failure("there is no %s here" % compiler, proc.stderr,
                          "make deps")
        self.version = proc.stdout.split("\n", 1)[0]

    def fetch(self, commits):
        self.git.run("config", "core.autocrlf", "false")
        missing = [c for c in commits
                   if not self.git.ok("cat-file", "-e", c)]
        if missing:
            source = Git(self.source)
            source.run("update-ref", "refs/pcid/check", commits[-1])
            self.git.run("fetch", "-q", "--no-tags", "file://" + self.source,
                         "+refs/pcid/check:refs/pcid/check")

    def stamp(self, commit, what):
        """The file whose presence says that this has passed before, with the
        same files, but for those that no build reads.
        """
        listed = [line for line in self.git.lines("ls-tree", commit)
                  if not line.endswith("\ttools")]
        listed += self.git.lines("ls-tree", commit, "tools/")
        files = [line for line in listed if not NOT_BUILT.search(line)
                 or "tests" in what and line.endswith("/tests")]
        key = "4 %s %s %s %s" % (files, self.version, what, self.options)
        return os.path.join(WORK, "passed",
                            hashlib.sha256(key.encode()).hexdigest())

    def command(self, log, args, time_limit=None):
        log.write("$ %s\n" % " ".join(args))
        log.flush()
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("MAKE", "MFLAGS"))}
        with subprocess.Popen(args, cwd=self.path, env=env, stdout=log,
                              stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL,
                              start_new_session=True) as proc:
            try:
                return proc.wait(time_limit) == 0
            except subprocess.TimeoutExpired:
                log.write("time limit of %d s reached\n" % time_limit)
                return False
            finally:
                if proc.poll() is None:
                    os.killpg(proc.pid, 9)

    def make(self, log, directory, *targets):
        return self.command(log, ["make", "-j%d" % self.jobs, "-C", directory,
                                  *self.options, *targets])

    def checkout(self, log, commit):
        log.write("patch %s, %s\n" % (commit, self.version))
        self.git.run("checkout", "-q", "--force", "--detach", commit)

    def configure(self, log):
        have = "\n".join(self.git.lines("ls-tree", "HEAD", *CONFIGURE_INPUT))
        note = os.path.join(self.path, ".git", "configured")
        try:
            with open(note, encoding="utf-8") as handle:
                if handle.read() == have:
                    return True
        except FileNotFoundError:
            pass
        if not self.command(log, self.configure_command):
            return False
        write_if_changed(note, have.encode())
        return True

    def build(self, log, last):
        """Build the checked-out patch: the libraries and xl."""
        note = os.path.join(self.path, ".git", "complete")
        if not (self.configure(log) and self.make(log, "tools/include")):
            return False
        # make does not link again when an object goes from a list.
        self.command(log, ["sh", "-c", "rm -f tools/xl/xl tools/libs/light/*.so"
                           " tools/libs/light/*.so.* tools/libs/util/*.so"
                           " tools/libs/util/*.so.*"])
        # Once, at the end, also what is left out below.
        everything = last and self.compiler == "gcc"
        try:
            since = read_text(note)
        except FileNotFoundError:
            since = ""
        if everything or not since or not self.git.ref(since):
            good = self.make(log, "tools/libs")
        else:
            # All that "all" makes there, but for the static libraries: those
            # compile the same sources a second time.
            good = (self.other_libs(log, since)
                    and self.make(log, "tools/libs/light", "libxenlight.so",
                                  "libxl.api-ok", "testidl",
                                  "libxl-save-helper")
                    and self.make(log, "tools/libs/util", "libxlutil.so"))
        if good:
            write_if_changed(note, self.git.ref("HEAD").encode())
        return (good and self.make(log, "tools/xl")
                and (self.compiler != "gcc" or self.go_bindings(log)))

    def go_bindings(self, log):
        """Xen keeps generated files of its Go bindings: are they those that
        the patch's libxl_types.idl gives?
        """
        light, bindings = "tools/libs/light", "tools/golang/xenlight"
        files = ("types.gen.go", "helpers.gen.go")
        with tempfile.TemporaryDirectory(dir=BUILD, prefix="tmp-") as tmp:
            made = [os.path.join(tmp, name) for name in files]
            return self.command(
                log, ["env", "LIBXL_SRC_DIR=" + light, sys.executable, "-B",
                      bindings + "/gengotypes.py", light + "/libxl_types.idl",
                      *made]) and all(
                self.command(log, ["diff", "-u", os.path.join(bindings, name),
                                   path]) for name, path in zip(files, made))

    def other_libs(self, log, since):
        """Libraries below libxl, where they have changed since a commit."""
        touched = {path.split("/")[2] for path in self.git.lines(
            "diff-tree", "-r", "--name-only", since, "HEAD", "--",
            "tools/libs") if path.count("/") > 2}
        return all(self.make(log, "tools/libs/" + name)
                   for name in sorted(touched - {"light", "util"}))

    def without_vchan(self, log):
        """Link libxl with what it has for systems that have no libxenvchan.
        The other libraries are still this system's, and libuuid, too.
        """
        stale = ("rm -f tools/libs/light/*.so tools/libs/light/*.so.*"
                 " tools/libs/light/libxl_pc*.opic")
        self.command(log, ["sh", "-c", stale])
        good = (self.make(log, "tools/libs/light", "XEN_OS=NetBSD",
                          "APPEND_LDFLAGS=-Wl,-z,defs -luuid -lrt",
                          "libxenlight.so")
                and self.command(log, ["sh", "-c", """
                        needed=$(readelf -d tools/libs/light/libxenlight.so)
                        case $needed in *vchan*) echo "$needed"; exit 1; esac
                    """]))
        # The next build is to make its own.
        self.command(log, ["sh", "-c", stale])
        return good

    def unit_tests(self, log, *targets):
        # They are linked with what of libxl they do not compile themselves.
        if not self.make(log, "tools/libs/light", "libxenlight.a"):
            return False
        if not targets and not self.parser_tests(log):
            return False
        return all(self.test(log, UNIT_TESTS, *target.split(), "VERBOSE=1")
                   for target in targets or ("check",))

    def parser_tests(self, log):
        return self.test(log, PARSER_TESTS, "check")

    def test(self, log, directory, *targets):
        return self.command(
            log, ["make", "-j%d" % self.jobs, "-C", directory, *targets,
                  *MAKE_OPTIONS[self.compiler][:1]], UNIT_TIME_LIMIT)


def check_builds(tap, builder, chosen, tests):
    for patch, commit in chosen:
        last = commit == chosen[-1][1]
        what = ["builds"]
        if tests and builder.git.lines("ls-tree", "--name-only", commit,
                                       UNIT_TESTS + "/Makefile"):
            what.append("passes its unit tests")
        elif tests and builder.git.lines("diff-tree", "-r", "--name-only",
                                         commit + "~", commit, "--",
                                         PARSER_TESTS):
            what.append("passes libxlu's tests")
        if builder.compiler == "gcc" and (
                last or not builder.unoptimised and builder.git.lines(
                    "diff-tree", "-r", "--name-only", commit + "~", commit,
                    "--", "tools/libs/uselibs.mk",
                    "tools/libs/light/Makefile")):
            what.append("links without libxenvchan")
        name = "%s %s with %s" % (patch.name, " and ".join(what),
                                  builder.compiler)
        stamp = builder.stamp(commit, "%s %s" % (what, last))
        if os.path.exists(stamp):
            tap.result(True, name + " (as it did before)")
            continue
        start = time.monotonic()
        path = os.path.join(LOGS, "%s-%s.log" % (patch.name, builder.compiler))
        os.makedirs(LOGS, exist_ok=True)
        with open(path, "w", encoding="utf-8", errors="replace") as log:
            builder.checkout(log, commit)
            good = builder.build(log, last)
            if good and "passes its unit tests" in what:
                good = builder.unit_tests(log)
            if good and "passes libxlu's tests" in what:
                good = builder.parser_tests(log)
            if good and "links without libxenvchan" in what:
                good = builder.without_vchan(log)
        name += " (%.0f s)" % (time.monotonic() - start)
        if good:
            write_if_changed(stamp, b"")
            tap.result(True, name)
        else:
            tap.result(False, name, log_end(path))


def snapshot(tree, needed):
    """A commit of the tree as it is, edits and new files included."""
    git = tree.git
    if not os.path.exists(os.path.join(tree.path, needed, "Makefile")):
        raise Failure("there is no %s" % needed,
                      "no patch brings %s/Makefile" % needed)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="tmp-") as tmp:
        index = tree.index(os.path.join(tmp, "index"))
        index.run("read-tree", "HEAD")
        index.run("add", "-A")
        written = index.out("write-tree")
    return (git.ref("HEAD") if written == tree.tree_of("HEAD") else
            git.commit_tree(written, git.ref("HEAD"), "edits\n"))


def unit(tree, compilers, quick, one=None):
    """The unit tests on the tree as it is, or one, given as PROGRAM:NAME.
    Quick is once, with sanitizers.
    """
    commit = snapshot(tree, UNIT_TESTS)
    tap = Tap()
    for compiler in compilers:
        builder = Builder(compiler, tree)
        builder.fetch([commit])
        path = os.path.join(LOGS, "unit-%s.log" % compiler)
        os.makedirs(LOGS, exist_ok=True)
        say("building for the unit tests with %s" % compiler)
        with open(path, "w", encoding="utf-8", errors="replace") as log:
            builder.checkout(log, commit)
            built = builder.build(log, False)
        if not built:
            tap.result(False, "%s: the tree builds" % compiler, log_end(path))
            continue
        run_unit_tests(tap, compiler, builder,
                       *(["one TEST=" + one] if one else []))
        if compiler == "gcc" and not quick:
            # What sanitizers do not see: values that nobody has set.
            run_unit_tests(tap, "valgrind", builder, "clean SANITIZE=n",
                           "valgrind SANITIZE=n", "clean")
            # As on Arm
            run_unit_tests(tap, "unsigned-char", builder, "clean SANITIZE=n",
                           "check SANITIZE=n EXTRA_CFLAGS_XEN_TOOLS="
                           "-funsigned-char", "clean")
            run_unit_tests(tap, "lines", builder, "clean SANITIZE=n",
                           "coverage SANITIZE=n COVERAGE=y", "clean")
    print("1..%d" % tap.count)
    return 0 if tap.failed == 0 else 1


def run_unit_tests(tap, name, builder, *targets):
    path = os.path.join(LOGS, "unit-%s.log" % name)
    with open(path, "w", encoding="utf-8", errors="replace") as log:
        passed = builder.unit_tests(log, *targets)
    # Their own results, numbered anew, for all together.
    with open(path, encoding="utf-8", errors="replace") as log:
        results = tap.relay(name, log)
    if not passed and not results["bad"]:
        tap.result(False, "%s: the unit tests end well" % name, log_end(path))
    elif not results["all"]:
        tap.result(False, "%s: the unit tests print results" % name,
                   log_end(path))


def log_end(path):
    """The part of a log that tells a person most."""
    with open(path, encoding="utf-8", errors="replace") as log:
        lines = log.read().split("\n")
    telling = [line for line in lines
               if re.search(r"\berror: |undefined reference|multiple definition"
                            r"|No such file|^not ok|\*\*\* |time limit", line)]
    return (["log: " + shown(path)]
            + [line[:300] for line in telling[:20]
               or [line for line in lines if line][-20:]])


def check(tree, build, tests, compilers, ends_only, unoptimised):
    patches = read_stack()
    if not patches:
        raise Failure("there is no patch to check", "series/ is empty", "")
    commits = tree.build(patches)
    unsaved = tree.unsaved()
    if unsaved:
        say("note: checking the stack, not the tree's unsaved work (%s)"
            % unsaved)
    tap = Tap()
    for part in [None, *read_parts(patches)]:
        letter = letter_of(part)
        if part or os.path.exists(letter):
            errors = (letter_errors(letter) if os.path.exists(letter) else
                      ["there is no " + shown(letter)])
            tap.result(not errors, "the cover letter%s has the right style"
                       % (" of part %d" % part if part else ""), errors)
    for patch, parent, commit in zip(patches, [tree.base] + commits, commits):
        errors = style_errors(tree.git, patch, parent, commit)
        tap.result(not errors, "%s has the right style" % patch.name,
                   some(errors, "\n", 30).split("\n") if errors else ())
        check_generated(tap, tree.git, patch, parent, commit)
    if build:
        ends = [end - 1 for _, end in read_parts(patches).values()]
        chosen = [pair for number, pair in enumerate(zip(patches, commits))
                  if not ends_only or not ends or number in ends]
        say("building %d of %d patches on Xen %s with %s; a few minutes"
            % (len(chosen), len(patches), tree.series,
               " and ".join(compilers)))
        # Side by side: one compiles while the other links or generates code.
        builders = [Builder(name, tree, unoptimised) for name in compilers]
        troubles = []

        def work(builder):
            try:
                check_builds(tap, builder, chosen, tests)
            except Failure as failure:
                troubles.append(failure)

        for builder in builders:
            builder.fetch(commits)
        threads = [threading.Thread(target=work, args=[builder], daemon=True)
                   for builder in builders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for failure in troubles:
            tap.result(False, "checking went on to the end",
                       failure.text().split("\n"))
    print("1..%d" % tap.count)
    return 0 if tap.failed == 0 else 1
