# SPDX-License-Identifier: GPL-2.0-only
"""The patch stack as files (series/ and the added files), and as commits.

The format is described in `scripts/stack --help`.  Nothing here changes a work
tree or a ref: that is for the commands in scripts/stack.
"""

import hashlib
import os
import re
import tempfile

from common import (BUILD, DEFAULT_SERIES, ROOT, Failure, Git, shown,
                    write_if_changed, xen_series)

# PCID_REPO and PCID_TREE let the tests work on small ones of their own, and
# other tools on a second tree.
REPO = os.environ.get("PCID_REPO") or ROOT
SERIES = os.path.join(REPO, "series")
LETTER = os.path.join(SERIES, "cover-letter.md")
# A line for each part of the series: "NUMBER SLUG", of its first patch.
PARTS = os.path.join(SERIES, "parts")
TREE = os.environ.get("PCID_TREE") or os.path.join(BUILD, "tree")
# In the tree: the commit that equals the stack as it was last applied or
# written back.  HEAD being elsewhere means work that the stack lacks.
APPLIED = "refs/pcid/applied"

PATCH_NAME = re.compile(r"^(\d{4}-[a-z0-9-]+)\.patch$")
VARIANT_NAME = re.compile(r"^(\d{4}-[a-z0-9-]+)\.(\d+\.\d+)\.patch$")

# Everything about a diff's text that a user's git configuration could change.
DIFF_OPTIONS = ("-p", "-U3", "--no-color", "--no-renames", "--no-ext-diff",
                "--no-textconv", "--diff-algorithm=myers", "--indent-heuristic",
                "--inter-hunk-context=0", "--src-prefix=a/", "--dst-prefix=b/",
                "--submodule=short")


# --- Patches as text ----------------------------------------------------------

class Patch:
    """One commit of the series, as the stack holds it.

    name      NNNN-slug, without ".patch"
    message   the commit message, ending in one newline
    adds      {path: (executable, bytes)}: the files it brings whole
    diffs     {None: the main diff, "4.17": the one from that series on, away
              from the one that the main diff is for, ...}
    """

    def __init__(self, name, message, adds, diffs):
        self.name, self.message = name, message
        self.adds, self.diffs = adds, diffs

    @property
    def subject(self):
        return self.message.split("\n", 1)[0]

    @property
    def file(self):
        return "series/%s.patch" % self.name

    def variant(self, series):
        """Which of the diffs to use on a series: of those between it and the
        default one, the nearest.
        """
        def order(name):
            return [int(part) for part in name.split(".")]
        this, default = order(series), order(DEFAULT_SERIES)
        near = [s for s in self.diffs if s and
                (default < order(s) <= this or this <= order(s) < default)]
        return (max if this > default else min)(near, key=order, default=None)

    def diff_for(self, series):
        """(the diff to use on a series, the file that it is in)"""
        used = self.variant(series)
        return self.diffs[used], ("series/%s.%s.patch" % (self.name, used)
                                  if used else self.file)

    def text(self):
        adds = "".join("Adds: %s\n" % path for path in sorted(self.adds))
        return "%s%s---\n%s" % (self.message, "\n" + adds if adds else "",
                                self.diffs[None])


def slug(subject):
    words = re.sub(r"[^a-z0-9]+", "-", subject.lower()).strip("-")
    if len(words) > 52:
        words = words[:53].rpartition("-")[0] or words[:52]
    return words.strip("-") or "patch"


def read_text(path):
    with open(path, "rb") as handle:
        return handle.read().decode(errors="surrogateescape")


def to_bytes(text):
    return text.encode(errors="surrogateescape")


def parse_patch(text, where):
    """(message, added paths, diff) of a patch file's text."""
    head, mark, diff = text.partition("\n---\n")
    if not mark:
        raise Failure("%s is not a patch of the stack" % where,
                      'it has no line "---" after its message',
                      "see the format in scripts/stack --help")
    lines = head.split("\n")
    adds = []
    while lines and lines[-1].startswith("Adds: "):
        adds.insert(0, lines.pop()[len("Adds: "):].strip())
    message = "\n".join(lines).strip("\n") + "\n"
    if message == "\n":
        raise Failure("%s has no commit message" % where, "",
                      "write a subject line, an empty line, and the reason")
    for path in adds:
        if path.startswith("/") or ".." in path.split("/"):
            raise Failure("%s adds a file outside the Xen tree" % where,
                          "Adds: " + path, "give a path inside the tree")
    if diff and not diff.startswith("diff --git "):
        raise Failure('%s: what follows its "---" is not a diff' % where,
                      "it starts with: " + diff.split("\n", 1)[0],
                      'a commit message must not contain a line "---"')
    return message, adds, diff


def read_stack():
    """The patches in series/, in order, with the files that they add."""
    names = sorted(os.listdir(SERIES)) if os.path.isdir(SERIES) else []
    patches, brought = [], {}
    for file in names:
        match = PATCH_NAME.match(file)
        if not match:
            if file.endswith(".patch") and not VARIANT_NAME.match(file):
                raise Failure("series/%s has no name of the stack" % file, "",
                              "call it NNNN-some-words.patch")
            continue
        where = "series/" + file
        message, paths, diff = parse_patch(
            read_text(os.path.join(SERIES, file)), where)
        adds = {}
        for path in paths:
            if path in brought:
                raise Failure("two patches add %s" % path,
                              "%s\n%s" % (brought[path], where),
                              "let one of them bring the file")
            brought[path] = where
            full = os.path.join(REPO, path)
            if os.path.islink(full) or not os.path.isfile(full):
                raise Failure("%s adds %s, which is not there" % (where, path),
                              "there is no such plain file in the repository",
                              "put the file back, or drop its Adds: line")
            with open(full, "rb") as handle:
                adds[path] = (os.stat(full).st_mode & 0o100 != 0,
                              handle.read())
        patches.append(Patch(match.group(1), message, adds, {None: diff}))

    by_name = {patch.name: patch for patch in patches}
    for file in names:
        match = VARIANT_NAME.match(file)
        if not match:
            continue
        if match.group(1) not in by_name:
            raise Failure("series/%s belongs to no patch" % file,
                          "there is no series/%s.patch" % match.group(1),
                          "rename it like its patch, or remove it")
        text = read_text(os.path.join(SERIES, file))
        if text and not text.startswith("diff --git "):
            raise Failure("series/%s is not a diff" % file, "",
                          "a file for one series of Xen holds only a diff")
        by_name[match.group(1)].diffs[match.group(2)] = text
    return patches


def read_parts(patches):
    """{number: (index of its first patch, index after its last)}, in order.
    Every patch is in a part; the numbers are 1, 2, ...
    """
    try:
        lines = read_text(PARTS).split("\n")
    except FileNotFoundError:
        return {}
    slugs = [patch.name[len("NNNN-"):] for patch in patches]
    starts = []
    for line in lines:
        if not line or line.startswith("#"):
            continue
        number, _, first = line.partition(" ")
        if number != str(len(starts) + 1):
            raise Failure("series/parts: no part %d, but: %s"
                          % (len(starts) + 1, line), "",
                          "number the parts 1, 2, ...")
        if first not in slugs:
            raise Failure("series/parts: part %s begins with no patch of the "
                          "series" % number, "there is no NNNN-%s" % first,
                          "give the name of a patch, without its number")
        starts.append(slugs.index(first))
    if starts[:1] != [0] or starts != sorted(set(starts)):
        raise Failure("series/parts: the parts are not the series in order",
                      "they begin with the patches %s"
                      % ", ".join(str(start + 1) for start in starts),
                      "part 1 begins with the first patch, each other later")
    return {number: (start, end) for number, (start, end) in enumerate(
        zip(starts, starts[1:] + [len(patches)]), 1)}


def letter_of(part):
    """The cover letter of a part, or of the whole series (None)."""
    return (os.path.join(SERIES, "cover-letter-%d.md" % part) if part
            else LETTER)


def without_places(diff):
    """A diff without line numbers, and without the line of the surroundings
    that git puts behind them."""
    return re.sub(r"^@@ -\d+(,\d+)? \+\d+(,\d+)? @@.*$", r"@@ \1 \2 @@",
                  diff, flags=re.M)


# --- Patches as commits -------------------------------------------------------

class Tree:
    """A git tree of Xen whose tag "base" is the unpatched Xen."""

    def __init__(self, path, base=None):
        self.path = path
        self.git = Git(path)
        self.base = base or self.git.ref("refs/tags/base")
        if not self.base:
            raise Failure('%s has no tag "base"' % shown(path),
                          "that tag tells which commit is the unpatched Xen",
                          "git -C %s tag base COMMIT" % shown(path))
        self.series = xen_series(
            self.git.out("cat-file", "blob", self.base + ":xen/Makefile"))
        if not self.series:
            raise Failure("%s is not a Xen tree" % shown(path),
                          "xen/Makefile of its tag base tells no version")

    def tree_of(self, commit):
        return self.git.out("rev-parse", commit + "^{tree}")

    def index(self, file):
        """Git with an index of our own: the user's is not touched."""
        return self.git.with_env(GIT_INDEX_FILE=file)

    def build(self, patches):
        """Commits for the patches on the base, without touching the work tree.
        Returns the list of commit ids, one per patch.
        """
        with tempfile.TemporaryDirectory(dir=BUILD, prefix="tmp-") as tmp:
            git = self.index(os.path.join(tmp, "index"))
            git.run("read-tree", self.base)
            commits, parent = [], self.base
            for patch in patches:
                self.stage(git, patch)
                tree = git.out("write-tree")
                parent = git.commit_tree(tree, parent, patch.message)
                commits.append(parent)
        return commits

    def stage(self, git, patch):
        """Apply one patch to the index of `git`."""
        diff, file = patch.diff_for(self.series)
        if diff:
            proc = git.run("apply", "--cached", "--whitespace=nowarn", "-",
                           stdin=to_bytes(diff), check=False)
            if proc.returncode != 0:
                raise Failure(
                    "%s does not apply to Xen %s" % (file, self.series),
                    proc.stderr.strip(),
                    "if Xen's file differs there: `scripts/stack port` brings "
                    "the stack to that base")
        if not patch.adds:
            return
        known = git.lines("ls-files", "-z", "--", *patch.adds)
        if known:
            raise Failure("%s adds a file that Xen %s already has"
                          % (patch.file, self.series), ", ".join(known),
                          "put its change into the diff instead")
        info = []
        for path, (executable, data) in patch.adds.items():
            blob = git.out("hash-object", "-w", "--stdin", stdin=data)
            info.append("%s %s\t%s\n" % ("100755" if executable else "100644",
                                         blob, path))
        git.run("update-index", "--add", "--index-info", stdin="".join(info))

    # What a user may have done in it

    def busy(self):
        """What git is in the middle of in this tree, or None."""
        gitdir = self.git.out("rev-parse", "--absolute-git-dir")
        for mark, what in (("rebase-merge", "rebase"), ("rebase-apply",
                           "rebase"), ("MERGE_HEAD", "merge"),
                           ("CHERRY_PICK_HEAD", "cherry-pick"),
                           ("REVERT_HEAD", "revert")):
            if os.path.exists(os.path.join(gitdir, mark)):
                return what
        return None

    def edited(self):
        """Tracked files that differ from HEAD, staged or not."""
        self.git.run("update-index", "-q", "--refresh", check=False)
        return self.git.lines("diff-index", "--name-only", "--no-renames",
                              "-z", "HEAD")

    def unsaved(self):
        """Why this tree holds work that the stack lacks, or None."""
        what = self.busy()
        if what:
            return "a git %s is under way in it" % what
        edited = self.edited()
        if edited:
            return "edited, not committed: " + some(edited)
        applied, head = self.git.ref(APPLIED), self.git.ref("HEAD")
        if head != applied:
            own = self.git.lines("log", "--format=%h %s", "--no-decorate",
                                 "%s..%s" % (applied or self.base, head))
            return ("its commits are not those of the stack: "
                    + (some(own, "\n") if own else "HEAD was moved"))
        return None


def some(items, glue=", ", limit=12):
    left = len(items) - limit
    return glue.join(items[:limit]) + ("%sand %d more" % (glue, left)
                                       if left > 0 else "")


def the_tree():
    if not os.path.isdir(os.path.join(TREE, ".git")):
        raise Failure("there is no tree yet", "%s is missing" % shown(TREE),
                      "make tree")
    return Tree(TREE)


# --- The stack's files in the repository --------------------------------------

def stack_files(patches):
    """{path in the repository: (executable, bytes)} of a whole stack."""
    files = {}
    for patch in patches:
        files[patch.file] = (False, to_bytes(patch.text()))
        for series, diff in patch.diffs.items():
            if series:
                files["series/%s.%s.patch" % (patch.name, series)] = (
                    False, to_bytes(diff))
        files.update(patch.adds)
    return files


# What the stack was when a tool of this directory last wrote or applied it.

def digest(files):
    total = hashlib.sha256()
    for path, (executable, data) in sorted(files.items()):
        total.update(b"%s %d %d\n" % (to_bytes(path), executable, len(data)))
        total.update(data)
    return total.hexdigest()


def record_written(patches):
    write_if_changed(os.path.join(BUILD, "stack-written"),
                     digest(stack_files(patches)).encode())


def last_written():
    try:
        return read_text(os.path.join(BUILD, "stack-written"))
    except FileNotFoundError:
        return None
