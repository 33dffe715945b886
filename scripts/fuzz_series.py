# SPDX-License-Identifier: GPL-2.0-only
"""`scripts/stack fuzz`: runs the fuzzers of tools/fuzz/pcid.

Prints TAP: a line for each.  What a long run finds stays in .build/fuzz: the
next one goes on from there.
"""

import os
import re
import shutil
import subprocess
import sys

from check_series import LOGS, Builder, Tap, log_end, snapshot
from common import BUILD, run, say, shown

FUZZERS = "tools/fuzz/pcid"
FOUND = os.path.join(BUILD, "fuzz")
NAMES = ("vchan", "server", "client")

# For a short run: some ten seconds each
SHORT_RUNS = 20000

# How much of these is reached is what a long run is judged by.
COVERED = ("libxl_vchan.c", "libxl_pcid.c", "libxl_pcid_client.c",
           "libxl_pcid_server.c", "libxl_pci_linux.c")


def fuzz(tree, runs, seconds):
    """A long run, of so many inputs or seconds; if neither, a short one."""
    kept = bool(runs or seconds)
    commit = snapshot(tree, FUZZERS)
    builder = Builder("clang", tree)
    builder.fetch([commit])
    tap = Tap()
    say("building the fuzzers")
    if not build(builder, commit, kept):
        tap.result(False, "the fuzzers are built", log_end(log_path()))
        print("1..%d" % tap.count)
        return 1
    args = (["-s", str(seconds)] if seconds
            else ["-r", str(runs or SHORT_RUNS)])
    if kept:
        os.makedirs(FOUND, exist_ok=True)
        args += ["-o", FOUND]
        say("%s for each of %d fuzzers; what they find is in %s"
            % ("%d s" % seconds if seconds else "%d inputs" % runs,
               len(NAMES), shown(FOUND)))
    results = run_fuzzers(builder, tap, args)
    if not results:
        tap.result(False, "the fuzzers print results")
    if kept:
        report_coverage(builder)
    print("1..%d" % tap.count)
    return 0 if tap.failed == 0 else 1


def log_path():
    os.makedirs(LOGS, exist_ok=True)
    return os.path.join(LOGS, "fuzz.log")


def build(builder, commit, coverage):
    with open(log_path(), "w", encoding="utf-8", errors="replace") as log:
        builder.checkout(log, commit)
        return (builder.build(log, False)
                and builder.make(log, "tools/libs/light", "libxenlight.a")
                and builder.make(log, FUZZERS, "libfuzzer",
                                 *(["coverage"] if coverage else [])))


def run_fuzzers(builder, tap, args):
    """Their result lines, as they come."""
    count = 0
    command = ["./run-fuzzers", *args] + ["fuzz-pcid-" + n for n in NAMES]
    with subprocess.Popen(command, cwd=os.path.join(builder.path, FUZZERS),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          encoding="utf-8", errors="replace") as process:
        for line in process.stdout:
            match = re.match(r"(not )?ok\b *\d* *-? *(.*)$", line)
            if match:
                count += 1
                tap.result(match.group(1) is None, match.group(2))
            elif line.startswith("#"):
                print(line.rstrip("\n"), flush=True)
    return count


def report_coverage(builder):
    """Which share of the lines all inputs together reach."""
    if not shutil.which("llvm-cov") or not shutil.which("llvm-profdata"):
        say("without llvm-cov, of the package llvm, there is no coverage")
        return
    here = os.path.join(builder.path, FUZZERS)
    profiles = []
    for name in NAMES:
        profile = os.path.join(FOUND, name + ".profraw")
        seeds = os.path.join(FOUND, "seeds-" + name)
        run(["./unpack", "corpus/" + name, seeds], cwd=here)
        # Not each of them has ever failed.
        inputs = [path for path in (os.path.join(FOUND, "corpus-" + name),
                                    seeds, "regress/" + name)
                  if os.path.isdir(os.path.join(here, path))]
        run(["./fuzz-pcid-%s-cov" % name, "-runs=0", "-detect_leaks=0",
             *inputs], cwd=here,
            env={"LLVM_PROFILE_FILE": profile, "TMPDIR": FOUND})
        profiles.append(profile)
    merged = os.path.join(FOUND, "all.profdata")
    run(["llvm-profdata", "merge", "-o", merged] + profiles)
    objects = ["./fuzz-pcid-%s-cov" % name for name in NAMES]
    args = ["-instr-profile=" + merged, objects[0]]
    for other in objects[1:]:
        args += ["-object", other]
    out = run(["llvm-cov", "report"] + args, cwd=here).stdout
    for name in COVERED:
        match = re.search(r"(?m)^\S*\b%s +(.*)$" % re.escape(name), out)
        if match:
            # regions, functions, lines: each how many, missed, covered
            columns = match.group(1).split()
            print("# %s: %s of %s lines" % (name, columns[8], columns[6]))
    # For a person who wants to know which are not
    text = run(["llvm-cov", "show", "-use-color=false"] + args, cwd=here).stdout
    path = os.path.join(FOUND, "coverage.txt")
    with open(path, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
    print("# which lines: %s" % shown(path))
    sys.stdout.flush()
