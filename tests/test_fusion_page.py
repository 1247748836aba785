"""The page of x2y beside the models with one input: what it says of what was measured."""

import json

import pytest

from benchmarks.fusion.write_page import BEGIN, END, HEADLINES, write_page
from sdss_gs.errors import DataError
from sdss_gs.schema import INPUTS, OUTPUTS

BEST = {"redshift": 0.016, "smass": 0.22, "subclass": 0.6, "gz2c": 0.07}


def scored(rows, output, value):
    metric = HEADLINES[output]
    return {
        "scores": {row: {metric: value} for row in rows},
        "intervals": {row: {metric: [0.9 * value, 1.1 * value]} for row in rows},
    }


def measured(held=0.7):
    """Of bands and wise: WISE is twice as bad at numbers, and half as good at classes."""
    singles = {}
    for item, factor in (("bands", 1), ("wise", 2)):
        for output, best in BEST.items():
            name = f"{INPUTS[item].code}2{OUTPUTS[output].code}"
            value = best / factor if OUTPUTS[output].classes else best * factor
            outputs = {output: scored([name], output, value)}
            singles[name] = {"training_seconds": 10.0, "outputs": outputs}
    rows = ["all inputs", "as available", "only bands", "only wise"]
    levels = {"0.68": held, "0.9": 0.9, "0.95": 0.95, "galaxies": 400}
    run = {
        "parameters": 1000, "seconds": 60.0, "training_seconds": 9.0,
        "outputs": {output: scored(rows, output, 0.9 * best) for output, best in BEST.items()},
        "coverage": {key: {output: levels for output in BEST} for key in ("bands", "wise", "bands|wise")},
    }  # fmt: skip
    machine = {"processor": "a processor", "cores": 2}
    return {"date": "2026-01-01", "machine": machine, "galaxies": 4000, "singles": singles, "x2y": {"bands,wise": run}}


def test_best_single_model_is_the_one_that_is_compared_and_numbers_stand_beside(tmp_path):
    (tmp_path / "x2y.md").write_text(f"# before\n\n{BEGIN}\nstale\n{END}\n\nafter\n")
    page = write_page(measured(), tmp_path).read_text()
    assert page.startswith("# before\n")
    assert page.endswith("after\n")
    assert "stale" not in page
    assert "| redshift | nmad | b2r | 0.016 [0.0144, 0.0176] | 0.0144 [0.013, 0.0158] |" in page
    assert "| subclass | macro_f1 | b2s | 0.6 " in page
    assert "| wise | 0.0144 (w2r 0.032) |" in page
    assert "took 80 s of training" in page
    assert json.loads((tmp_path / "x2y.json").read_text())["galaxies"] == 4000


@pytest.mark.parametrize(("held", "said"), [(0.69, "36 of 36"), (0.73, "30 of 36"), (0.6, "24 of 36")])
def test_what_is_held_too_often_counts_against_intervals_but_not_against_class_sets(tmp_path, held, said):
    """Of 36 coverages 12 are of 68 %, six of them of class sets, which have one class at least."""
    assert f"{said} lie within 2 points" in write_page(measured(held), tmp_path).read_text()


def test_a_page_without_marks_is_left_alone(tmp_path):
    (tmp_path / "x2y.md").write_text("# mine\n")
    with pytest.raises(DataError, match="expected the lines"):
        write_page(measured(), tmp_path)
    assert (tmp_path / "x2y.md").read_text() == "# mine\n"
