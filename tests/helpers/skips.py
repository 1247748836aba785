"""What was skipped, at the end of every run of the tests: why, how often, and how it is run.

A reason reads "what is missing: what brings it"; ``--skip-reasons N`` fails a run that skips for more than N of them.
"""

from collections import Counter

import pytest


def pytest_addoption(parser):
    text = "fail if tests were skipped for more than so many reasons (default: any number)"
    parser.addoption("--skip-reasons", type=int, metavar="N", help=text)


def counted(reports):
    """Count the skips of each reason, the most frequent first."""
    # A skipped test has told where, in which line and why; a file that was skipped as a whole is counted once.
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports)
    return reasons.most_common()


def skipped(config):
    return counted(config.pluginmanager.get_plugin("terminalreporter").stats.get("skipped", []))


# Before pytest's own, which prints the summary and returns what stands in the session by then.
@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    if hasattr(session.config, "workerinput"):
        return
    most, found = session.config.getoption("--skip-reasons"), skipped(session.config)
    if most is not None and len(found) > most and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    found, most = skipped(config), config.getoption("--skip-reasons")
    if not found:
        return
    terminalreporter.section("skipped")
    for reason, count in found:
        why, _, how = reason.partition(": ")
        terminalreporter.write_line(f"{count:5}  {why}" + (f"   run them: {how}" if how else ""))
    if most is not None and len(found) > most:
        terminalreporter.write_line(f"--skip-reasons: expected at most {most}, found {len(found)}", red=True)
