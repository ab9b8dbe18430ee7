"""Run ceph/s3-tests against a daemon of ours: ``python -m tests.conformance CLONE [GROUP ...]``.

CLONE is a clone of https://github.com/ceph/s3-tests. Its tests run in the Python that ``--python`` names, which has
what its ``requirements.txt`` lists, pytest-xdist and pytest-timeout. Prints what was passed and each test that was not,
with what `known` says about it; the exit status is 1 when a test fails of which it says nothing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from msgspec import Struct, structs

from tests.conformance.groups import GROUPS, HEADERS, MAIN, Group, group_of
from tests.conformance.known import reason_of
from tests.daemon import Daemon
from twisted_s3.keyring import GENERATED, KeyFile

#: The users that the suite wants, by the name of their section.
USERS = {
    "s3 main": ("MAINMAINMAINMAINMAIN", "main-secret-main-secret-main-secret-main", "1" * 64, "main"),
    "s3 alt": ("ALTALTALTALTALTALTAL", "alt-secret-alt-secret-alt-secret-alt-sec", "2" * 64, "alternative"),
    "s3 tenant": ("TENANTTENANTTENANTTE", "tenant-secret-tenant-secret-tenant-secre", "3" * 64, "tenant"),
    "iam": ("IAMIAMIAMIAMIAMIAMIA", "iam-secret-iam-secret-iam-secret-iam-sec", "4" * 64, "iam"),
    "iam root": ("ROOTROOTROOTROOTROOT", "root-secret-root-secret-root-secret-root", "5" * 64, "root"),
    "iam alt root": ("ALTROOTALTROOTALTROO", "altroot-secret-altroot-secret-altroot-se", "6" * 64, "altroot"),
}
#: Who may do everything is none of them: for those of the suite policies and access control lists count.
ADMINISTRATOR = ("ADMINISTRATORADMINIS", "administrator-secret-administrator-secre", "0" * 64, "administrator")
#: Seconds that a day of lifecycle rules has.
DAY = 10
#: The keys for ``aws:kms`` that the suite names.
NAMED_KEYS = ("testkey-1", "testkey-2")
#: Seconds for one test, and for one test run.
TEST_PATIENCE = 240
RUN_PATIENCE = 1800


class Outcome(Struct, frozen=True):
    """How a test ended.

    :ivar state: ``passed``, ``failed`` or ``skipped``.
    :ivar why: the first line of why.
    :ivar marked: whether the suite says that it fails on AWS.
    """

    test: str
    state: str
    why: str = ""
    marked: bool = False


def server_settings(directory: Path) -> str:
    """The TOML file of the daemon: its users, and buckets as open to access control lists as AWS's once were."""
    lines = [
        "[server]",
        'host = "127.0.0.1"',
        "port = 0",
        f'data_dir = "{directory / "data"}"',
        'durability = "none"',
        'default_object_ownership = "ObjectWriter"',
        "default_public_access_block = false",
        f"lifecycle_day_seconds = {DAY}",
    ]
    for access_key, secret_key, canonical_id, name in (ADMINISTRATOR, *USERS.values()):
        lines += ["", "[[users]]", f'access_key = "{access_key}"', f'secret_key = "{secret_key}"']
        lines += [f'canonical_id = "{canonical_id}"', f'display_name = "{name}"', f'email = "{name}@example.com"']
    return "\n".join(lines) + "\n"


def suite_settings(port: int) -> str:
    """The configuration file of the suite, as its sample describes it."""
    lines = ["[DEFAULT]", "host = 127.0.0.1", f"port = {port}", "is_secure = False", "ssl_verify = False"]
    lines += ["", "[fixtures]", "bucket prefix = s3t-{random}-", "iam name prefix = s3t-", "iam path prefix = /s3t/"]
    for section, (access_key, secret_key, canonical_id, name) in USERS.items():
        lines += ["", f"[{section}]", f"display_name = {name}", f"user_id = {canonical_id}"]
        lines += [f"email = {name}@example.com", "api_name = us-east-1"]
        lines += [f"access_key = {access_key}", f"secret_key = {secret_key}", f"lc_debug_interval = {DAY}"]
        if section == "s3 main":
            lines += [f"kms_keyid = {NAMED_KEYS[0]}", f"kms_keyid2 = {NAMED_KEYS[1]}"]
        if section == "s3 tenant":
            lines.append("tenant = ")
    return "\n".join(lines) + "\n"


class Suite:
    """The clone, and the Python that runs it."""

    def __init__(self, clone: Path, python: str, config: Path) -> None:
        self._clone = clone
        self._python = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        self._environ = {**os.environ, "S3TEST_CONF": str(config)}
        self._report = config.with_suffix(".xml")

    def tests(self, mark: str = "") -> Sequence[str]:
        """All its tests, or those with a mark."""
        listed = subprocess.run(
            [*self._python, "--collect-only", "-m", mark, MAIN, HEADERS],
            cwd=self._clone,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=RUN_PATIENCE,
        )
        return [line for line in listed.stdout.splitlines() if "::" in line]

    def run(self, tests: Sequence[str], processes: int) -> Iterable[Outcome]:
        """Run tests, so many at a time."""
        if not tests:
            return
        self._report.unlink(missing_ok=True)
        options = [f"--timeout={TEST_PATIENCE}", f"--junitxml={self._report}", "-n", str(processes)]
        subprocess.run(
            [*self._python, *options, *tests],
            cwd=self._clone,
            env=self._environ,
            stdout=subprocess.DEVNULL,
            timeout=RUN_PATIENCE,
        )
        for case in ElementTree.parse(self._report).iter("testcase"):
            file = case.attrib["classname"].replace(".", "/") + ".py"
            yield _outcome(f"{file}::{case.attrib['name']}", case)


def _outcome(test: str, case: ElementTree.Element) -> Outcome:
    for kind, state in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        found = case.find(kind)
        if found is not None:
            return Outcome(test, state, (found.get("message") or "").partition("\n")[0][:300])
    return Outcome(test, "passed")


def selected(tests: Iterable[str], groups: Sequence[Group]) -> Mapping[str, Sequence[str]]:
    """The tests of each of these groups."""
    found: dict[str, list[str]] = {group.name: [] for group in groups}
    for test in tests:
        if (name := group_of(test)) in found:
            found[name].append(test)
    return found


def run(suite: Suite, groups: Sequence[Group]) -> Sequence[Outcome]:
    """Run the tests of groups."""
    tests = selected(suite.tests(), groups)
    together: dict[int, list[str]] = {}
    for group in groups:
        if not group.alone:
            together.setdefault(group.processes, []).extend(tests[group.name])
    outcomes: list[Outcome] = []
    for group in groups:
        if group.alone:
            outcomes += suite.run(tests[group.name], 0)
    for processes, chosen in together.items():
        outcomes += suite.run(chosen, processes)
    marked = frozenset(suite.tests("fails_on_aws"))
    return [structs.replace(outcome, marked=outcome.test in marked) for outcome in outcomes]


def report(outcomes: Sequence[Outcome]) -> str:
    """What was passed of each group, and all that was not, as reStructuredText."""
    totals: dict[str, list[Outcome]] = {group.name: [] for group in GROUPS}
    for outcome in outcomes:
        totals[group_of(outcome.test)].append(outcome)
    lines = [".. list-table::", "   :header-rows: 1", "", "   * - Group", "     - Passed", "     - Marked, passed"]
    for name, some in {**totals, "**all**": outcomes}.items():
        if some:
            lines += [f"   * - {name}", _passed(some, False), _passed(some, True)]
    lines += _missed("Not passed", [outcome for outcome in outcomes if not outcome.marked])
    lines += _missed("Marked, not passed", [outcome for outcome in outcomes if outcome.marked])
    return "\n".join(lines) + "\n"


def _passed(outcomes: Iterable[Outcome], marked: bool) -> str:
    states = [outcome.state for outcome in outcomes if outcome.marked == marked]
    return f"     - {states.count('passed')} of {len(states)}" if states else "     -"


def _missed(title: str, outcomes: Sequence[Outcome]) -> Sequence[str]:
    missed: dict[str, list[str]] = {}
    for outcome in sorted(outcomes, key=lambda o: o.test):
        if outcome.state != "passed":
            missed.setdefault(reason_of(_name(outcome)) or _unknown(outcome), []).append(f"``{_name(outcome)}``")
    lines = ["", ".. list-table::", "   :header-rows: 1", "   :widths: 50 50", "", f"   * - {title}", "     - Why"]
    for reason, tests in missed.items():
        lines += [f"   * - {', '.join(tests)}", f"     - {reason}"]
    return lines if missed else []


def _name(outcome: Outcome) -> str:
    return outcome.test.partition("::")[2]


def _unknown(outcome: Outcome) -> str:
    return f"**{outcome.state}**: ``{outcome.why}``"


def main(arguments: Sequence[str]) -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser("python -m tests.conformance", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("clone", type=Path)
    parser.add_argument("groups", nargs="*", metavar="group", choices=[[], *(group.name for group in GROUPS)])
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--report", type=Path, help="write the tables for the documentation to this file")
    options = parser.parse_args(arguments)
    groups = [group for group in GROUPS if group.name in options.groups] or GROUPS
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        (directory / "server.toml").write_text(server_settings(directory))
        for name in NAMED_KEYS:
            KeyFile(directory / "data" / GENERATED).add(name)
        daemon = Daemon(directory, ["s3store", "--config", "server.toml"])
        try:
            port = int(daemon.wait_for(r"listening on \S+:(\d+)")[1])
            config = directory / "suite.conf"
            config.write_text(suite_settings(port))
            outcomes = run(Suite(options.clone, options.python, config), groups)
        finally:
            daemon.end()
    text = report(outcomes)
    print(text, end="")
    if options.report:
        options.report.write_text(text)
    return int(any(o.state != "passed" and not reason_of(_name(o)) for o in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
