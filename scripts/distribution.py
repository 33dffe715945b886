# SPDX-License-Identifier: GPL-2.0-only
"""The distribution's packages: where from, and those of Xen's source, by an apt
with lists of its own.
"""

import functools
import os
import re
import subprocess

from common import BUILD, Failure, older_than, run, say, write_if_changed

# How long to be content with an index, or with a fallback, before looking
# again.
RETRY_AFTER = 24 * 3600

# The suites whose source packages are looked at, newest release first.
RELEASES = ("trixie", "bookworm")
SUFFIXES = ("", "-updates", "-security")

APT = os.path.join(BUILD, "apt")
DOWNLOADS = os.path.join(BUILD, "downloads")
KEYRING = "/usr/share/keyrings/debian-archive-keyring"


@functools.cache
def mirrors():
    """The mirrors of the machine's own apt configuration: (main, security).

    `apt-get update --print-uris` reads both forms of that configuration, .list
    and deb822, and needs no downloaded list.
    """
    proc = run(["apt-get", "update", "--print-uris"], check=False)
    suites = {}
    for uri, suite in re.findall(r"^'(\S+)/dists/([^/\s']+)/(?:In)?Release'",
                                 proc.stdout, re.M):
        suites.setdefault(uri, set()).add(suite)

    def ranked(is_main):
        known = re.compile(
            r"(bookworm|trixie|forky|sid|unstable|testing|stable|oldstable)"
            + ("" if is_main else "-security") + "$")
        found = [uri for uri in suites
                 if any(known.match(suite) for suite in suites[uri])]
        # Other vendors' repositories use Debian's suite names too: prefer one
        # that offers -updates, or is called like Debian's.
        found.sort(key=lambda uri: (
            not any(suite.endswith("-updates") for suite in suites[uri]),
            not re.search(r"/debian(-security)?$", uri)))
        return found[0] if found else None

    main = ranked(True)
    if not main:
        raise Failure("cannot tell where this machine gets Debian packages "
                      "from", "`apt-get update --print-uris` names no Debian "
                      "suite:\n" + (proc.stderr or proc.stdout).strip()[:2000],
                      "give a Xen tree of your own: XEN_TREE=path")
    return main, ranked(False)


def sources(kind, release):
    """Lines of a sources.list, of the kind "deb" or "deb-src"."""
    keyring = next((KEYRING + ext for ext in (".gpg", ".pgp")
                    if os.path.exists(KEYRING + ext)), None)
    signed = "[signed-by=%s] " % keyring if keyring else ""
    main, security = mirrors()
    lines = []
    for suffix in SUFFIXES:
        uri = security if suffix == "-security" else main
        if uri:
            lines.append("%s %s%s %s%s main" % (kind, signed, uri, release,
                                                suffix))
    return lines


def apt_config(directory=APT, lines=None):
    """A private apt configuration: the machine's own lists stay as they are,
    and no root rights are needed.  Returns the file for apt's -c option.  The
    lines are those of a sources.list; source packages', if not given.
    """
    for sub in ("lists/partial", "cache/archives/partial", "state"):
        os.makedirs(os.path.join(directory, sub), exist_ok=True)
    if lines is None:
        lines = [line for release in RELEASES
                 for line in sources("deb-src", release)]
    write_if_changed(os.path.join(directory, "sources.list"),
                     "".join(line + "\n" for line in lines).encode())
    conf = os.path.join(directory, "apt.conf")
    write_if_changed(conf, ("""\
Dir::Etc::sourcelist "%(apt)s/sources.list";
Dir::Etc::sourceparts "-";
Dir::State "%(apt)s/state";
Dir::State::Lists "%(apt)s/lists";
Dir::Cache "%(apt)s/cache";
APT::Sandbox::User "";
APT::Get::List-Cleanup "true";
Acquire::Languages "none";
Acquire::Retries "2";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
""" % {"apt": directory}).encode())
    return conf


def update_index(conf):
    stamp = os.path.join(APT, "updated")
    if not older_than(stamp, RETRY_AFTER):
        if os.stat(stamp).st_mtime >= os.stat(
                os.path.join(APT, "sources.list")).st_mtime:
            return
    say("fetching the index of the distribution's source packages (50 MB)")
    proc = run(["apt-get", "-c", conf, "-q", "update"], check=False)
    errors = [line for line in (proc.stderr + proc.stdout).split("\n")
              if re.match(r"(E|W|Err)\b", line)]
    if proc.returncode != 0 or errors:
        # One suite failing need not matter: others may offer what is wanted.
        say("apt-get update complains:\n  " + "\n  ".join(errors[:20]))
    else:
        write_if_changed(stamp, b"")
        os.utime(stamp)


def offered(conf):
    """All versions of xen in the index, newest first, as Debian spells them."""
    proc = run(["apt-cache", "-c", conf, "showsrc", "xen"], check=False)
    versions = set()
    for stanza in proc.stdout.split("\n\n"):
        if re.search(r"^Package: xen$", stanza, re.M):
            versions.update(re.findall(r"^Version: (\S+)$", stanza, re.M))
    ordered = []
    for version in versions:
        at = 0
        while at < len(ordered) and subprocess.run(
                ["dpkg", "--compare-versions", ordered[at], "gt", version],
                check=False).returncode == 0:
            at += 1
        ordered.insert(at, version)
    return ordered


def upstream_part(version):
    """4.20.4+63-g7abfd2bce2 of [1:]4.20.4+63-g7abfd2bce2-0+deb13u1"""
    return version.split(":", 1)[-1].rsplit("-", 1)[0]
