"""What commands say while they work, and what they say with ``--quiet`` and ``--verbose``."""

import re
import sys

import pytest
from conftest import survey_rows, write_survey

from sdss_gs.__main__ import main
from sdss_gs.logs import LOG, hidden


@pytest.mark.parametrize(("options", "shown"), [([], True), (["--quiet"], False), (["--verbose"], True)])
def test_quiet_shows_no_bar(tmp_path, monkeypatch, capsys, options, shown):
    # Bars are shown on terminals only.
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    folder = write_survey(tmp_path / "survey", survey_rows(6), ("fits",))
    assert main(["pack", *options, str(folder)]) == 0
    out, err = capsys.readouterr()
    assert ("packing fits" in err) == shown
    # What the command is for is said in any case.
    assert "fits: 6 packed" in out


def test_quiet_may_stand_before_or_after_the_command():
    for arguments in (["--quiet", "cite"], ["cite", "--quiet"]):
        assert main(arguments) == 0
        assert hidden() is True
    assert main(["cite"]) == 0
    assert hidden() is None
    assert hidden(False) is True


def test_records_are_lines_with_time_and_level_on_stderr(capsys):
    main(["cite", "--verbose"])
    capsys.readouterr()
    LOG.info("data_set folder=%s", "x")
    out, err = capsys.readouterr()
    assert not out
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ INFO zoo data_set folder=x\n", err)
    main(["cite"])
    capsys.readouterr()
    LOG.info("not asked for")
    assert not capsys.readouterr().err


def test_quiet_and_verbose_exclude_each_other(capsys):
    with pytest.raises(SystemExit) as left:
        main(["cite", "--quiet", "--verbose"])
    assert left.value.code == 2
    assert "not allowed with" in capsys.readouterr().err
