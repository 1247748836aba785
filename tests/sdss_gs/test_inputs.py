import os

import pytest
from conftest import survey_rows, write_survey

from sdss_gs.errors import OptionError
from sdss_gs.inputs import refuse_inputs


def names_of(tmp_path):
    """Inputs, and outputs by what they are: names under which something of an input would be written over."""
    catalogue, shards = tmp_path / "galaxies.csv", tmp_path / "shards"
    catalogue.write_text("objid\n1\n")
    (shards / "Norder=0").mkdir(parents=True)
    (shards / "one.parquet").write_text("one")
    survey = write_survey(tmp_path / "ds", survey_rows(2), ("img",))
    (tmp_path / "symbolic.csv").symlink_to(catalogue)
    (tmp_path / "folder").symlink_to(shards)
    os.link(catalogue, tmp_path / "hard.csv")
    os.link(shards / "one.parquet", tmp_path / "hard.parquet")
    return [catalogue, shards, survey]


@pytest.mark.parametrize(
    "output",
    [
        "galaxies.csv", "./shards/../galaxies.csv", "symbolic.csv", "hard.csv", "shards", "shards/one.parquet",
        "shards/new.parquet", "shards/Norder=0/new.parquet", "folder/new.parquet", "hard.parquet", "ds", "ds/data.csv",
        "ds/votes.csv", "ds/img/new.csv",
    ],
)  # fmt: skip
def test_output_that_is_an_input_is_refused_by_whatever_name(tmp_path, output):
    inputs = names_of(tmp_path)
    with pytest.raises(OptionError, match=r"output .*: it is the input .*, or a part of it; name another file"):
        refuse_inputs(tmp_path / output, inputs)


@pytest.mark.parametrize("output", ["out.csv", "ds/out.csv", "galaxies.csv.csv", "shards.parquet", "ds2/data.csv"])
def test_output_beside_the_inputs_is_taken(tmp_path, output):
    refuse_inputs(tmp_path / output, names_of(tmp_path))
