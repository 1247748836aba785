"""What a reader of the notebooks sees: they are executed once, and what their text claims is read from the outputs."""

import re
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT
from helpers.notebooks import NOTEBOOKS, executed_notebooks

NAMES = ["catalogue_to_redshifts", "galaxies_like_this_one", "what_a_spectrum_tells", "your_own_morphology"]
each_notebook = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The cells of all notebooks with their outputs, by notebook and id."""
    folder = executed_notebooks(tmp_path_factory)
    read = {name: nbformat.read(folder / f"{name}.ipynb", as_version=4) for name in NAMES}
    return {name: {cell.id: cell for cell in notebook.cells} for name, notebook in read.items()}


def outputs(cell):
    """What a cell gave; text gives nothing."""
    return cell.get("outputs", [])


def printed(cell):
    """What a cell prints, and the text of the values that it shows."""
    return "\n".join(
        output.text if output.output_type == "stream" else output.data.get("text/plain", "") for output in cell.outputs
    )


def table(cell):
    """The numbers of a table that a cell shows, by the label of the row; a wide one continues below."""
    rows = {}
    for label, numbers in re.findall(r"^(\S.*?) {2,}((?:-?[\d.]+|NaN|\s)+)$", printed(cell), re.MULTILINE):
        rows.setdefault(label, []).extend(float(number) for number in numbers.split())
    return rows


def numbers(cell, pattern):
    """The numbers in the one place of what a cell prints that a pattern describes, its spaces standing for any."""
    return [float(number) for number in re.search(pattern.replace("#", r"([\d.]+)"), printed(cell)).groups()]


def test_all_notebooks_are_known_and_the_site_has_no_other():
    assert sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")) == NAMES


@each_notebook
def test_stored_without_outputs_and_readable_by_any_jupyter(name):
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


@each_notebook
def test_begins_with_a_title_and_ends_with_what_comes_next(name):
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    text = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert text[0].startswith("# ")
    assert notebook.cells[-1].source.startswith("## Next\n")
    links = [link for source in text for link in re.findall(r"\]\(([^)]+)\)", source)]
    assert links
    assert all((NOTEBOOKS / link).is_file() for link in links)


@each_notebook
def test_outputs_have_no_warning_and_no_path_of_the_machine(executed, name):
    for label, cell in executed[name].items():
        for output in outputs(cell):
            assert output.get("name") != "stderr", f"{label}: {output.text}"
            text = output.get("text", "") + str({k: v for k, v in output.get("data", {}).items() if "image" not in k})
            for place in (ROOT, Path.home(), tempfile.gettempdir(), sys.prefix):
                assert str(place) not in text, label


@each_notebook
def test_every_picture_is_explained(executed, name):
    cells = list(executed[name].values())
    pictures = [k for k, cell in enumerate(cells) if any("image/png" in one.get("data", {}) for one in outputs(cell))]
    assert pictures
    for k in pictures:
        assert any(cells[beside].cell_type == "markdown" for beside in (k - 1, k + 1)), cells[k].id


def test_redshifts_lie_in_their_intervals_and_stars_are_left_out(executed):
    cells = executed["catalogue_to_redshifts"]
    assert "6 of 8 objects kept: 1, 2, 3, 4, 5, 6" in printed(cells["trusted"])
    assert numbers(cells["compare-with-spectra"], "inside the interval of 95 %: # of #") == [6, 6]
    (difference,) = numbers(cells["astropy-table"], "largest difference from the magnitudes: #")
    assert difference < 0.001
    _, before, after = numbers(cells["widen"], "factor #: from #% to #%")
    assert before < 68
    assert abs(after - 68) < abs(before - 68)


def test_spectra_tell_redshifts_until_they_are_spoilt(executed):
    cells = executed["what_a_spectrum_tells"]
    (nmad,) = numbers(cells["predict-redshifts"], "NMAD #")
    assert nmad < 0.001
    few, wrong = table(cells["check-flagged"])["not flagged"]
    assert few > 100
    assert wrong == 0
    confused = table(cells["predict-subclasses"])
    assert confused["STARBURST"][0] > confused["STARBURST"][1]
    assert confused["STARFORMING"][0] < confused["STARFORMING"][1]
    noise = [line.split()[1:] for line in printed(cells["noise-table"]).splitlines()[1:]]
    (_, true, redshift, *_, flag), (*_, last) = noise[0], noise[-1]
    assert abs(float(redshift) - float(true)) < 0.003
    assert int(flag) == 0
    assert int(last) > 0
    refused = table(cells["cut-it"])["not a number beyond 6000 Å"]
    assert refused[-1] == 2


def test_own_labels_are_learnt_and_new_images_sorted(executed):
    cells = executed["your_own_morphology"]
    scores = table(cells["show-scores"])
    accuracy, low, high = scores["i2c-shape"][:3]
    assert accuracy > scores["majority"][0]
    assert low < accuracy < high
    assert numbers(cells["write-report"], "report.html: # MB")[0] > 0.5
    assert re.search(r"smooth|spiral|edge-on", printed(cells["predict-new"]))


def test_neighbours_are_more_alike_than_chance(executed):
    alike = table(executed["galaxies_like_this_one"]["measure"])
    assert set(alike) == {"redshift", "r, mag", "g − r, mag"}
    for magnitudes, _, chance in alike.values():
        assert magnitudes < 0.6 * chance
    # What a spectrum tells is the redshift, not the brightness.
    assert alike["redshift"][1] < alike["redshift"][0]
    assert alike["r, mag"][1] > alike["r, mag"][0]
