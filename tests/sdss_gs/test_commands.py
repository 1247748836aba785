"""The commands of ``python -m sdss_gs``, as a user runs them."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import survey_rows, write_image, write_survey

from sdss_gs.__main__ import main


def test_help_imports_nothing_heavy():
    script = "import sys; from sdss_gs.__main__ import make_parser; make_parser().format_help(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"tensorflow", "keras", "mlflow", "pandas", "pyarrow", "astropy", "scipy"} & set(loaded)


def test_no_command_of_the_data_package_loads_keras_or_mlflow(survey):
    script = f"import sys; from sdss_gs.__main__ import main; main(['verify', {str(survey)!r}]); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"tensorflow", "keras", "mlflow"} & set(loaded)


def test_verify_of_a_good_set_says_so(survey, capsys):
    assert main(["verify", str(survey)]) == 0
    assert "every file and value is good" in capsys.readouterr().out


def test_verify_names_everything_that_is_wrong(survey, capsys):
    rows = survey_rows(12)
    rows[0]["modelMag_u"] = "12_3"
    rows.append(rows[1] | {"redshift": "0.29"})
    write_survey(survey, rows)
    names = [row["objid"] for row in rows]
    (survey / "img" / f"{names[2]}.jpg").write_bytes((survey / "img" / f"{names[2]}.jpg").read_bytes()[:-25])
    write_image(survey / "img" / f"{names[3]}.jpg", 1, size=(150, 151))
    spectrum = survey / "spectra" / f"{names[4]}.csv"
    spectrum.write_text("\n".join(spectrum.read_text().splitlines()[:3000]))
    np.save(survey / "fits" / f"{names[5]}.npy", np.full((61, 61, 5), np.nan, np.float32))
    assert main(["verify", str(survey)]) == 1
    lines = capsys.readouterr().out.splitlines()
    for expected in (
        f"{names[0]} +modelMag_u",
        f"{names[1]} +redshift +expected rows that agree, found .* and 0.29: left out",
        f"img/{names[2]}.jpg +img +expected a complete JPEG",
        f"img/{names[3]}.jpg +img +expected 150x150 pixels .* found 150x151",
        f"spectra/{names[4]}.csv +spectra +expected 3522 points",
        f"fits/{names[5]}.npy +fits +expected finite pixels",
        "6 problems",
    ):
        assert sum(bool(re.search(expected, line)) for line in lines) == 1, expected


@pytest.mark.parametrize("command", ["info", "verify", "pack"])
def test_empty_or_absent_folder_is_one_line(tmp_path, command, capsys):
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "absent"):
        assert main([command, str(tmp_path / folder)]) == 1
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert folder in error
        assert error.count("\n") == 1


def test_verify_mentions_an_empty_input_folder_and_strangers(survey, capsys):
    for path in (survey / "img").iterdir():
        path.unlink()
    np.save(survey / "fits" / "77.npy", np.zeros((61, 61, 5), "f4"))
    assert main(["verify", str(survey)]) == 1
    output = capsys.readouterr().out
    assert "expected files <objid>.jpg, found none" in output
    assert "fits: 1 files belong to no row of data.csv" in output


def test_info_counts_before_and_after_packing(survey, capsys):
    rows = survey_rows(12)
    rows[0]["w1mag"] = "9999"
    write_survey(survey, rows)
    path = survey / "img" / f"{rows[5]['objid']}.jpg"
    path.write_bytes(b"x")
    before = info(survey, capsys)
    assert (before["inputs"]["img"]["state"], before["inputs"]["img"]["available"]) == ("not packed", 12)
    assert main(["pack", str(survey)]) == 0
    assert "img: 11 packed, 1 refused" in capsys.readouterr().out
    after = info(survey, capsys)
    assert after["inputs"]["img"]["available"] == 11
    assert after["inputs"]["img"]["rejected"] == 1
    assert after["inputs"]["ssel"]["state"] == "from spectra"
    assert after["inputs"]["fits"]["high"] == pytest.approx(max(float(row["redshift"]) for row in rows), rel=1e-6)
    assert after["inputs"]["wise"]["missing"] == {"sentinel 9999": 1}
    assert after["outputs"]["subclass"]["classes"]["STARFORMING"] == sum(float(r["redshift"]) > 0.15 for r in rows)
    assert after["usable"]["wise"]["redshift"] == 11
    assert main(["info", str(survey)]) == 0
    text = capsys.readouterr().out
    assert "12 objects" in text
    assert "sentinel 9999" in text


def info(folder, capsys):
    assert main(["info", str(folder), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_pack_of_an_unknown_input_lists_the_known(survey, capsys):
    assert main(["pack", str(survey), "--inputs", "jpeg"]) == 1
    assert "--inputs jpeg: expected some of img, fits, spectra, ssel" in capsys.readouterr().err


def test_wrong_option_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["pack"])
    assert caught.value.code == 2
    assert "DS" in capsys.readouterr().err
