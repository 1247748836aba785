"""What README and docs say of files and options: that it is there, and that it is all."""

import ast
import re
import runpy
import shutil

import mlflow
import pytest
from conftest import ROOT, survey_rows, write_survey
from helpers.stores import new_store

from common import train
from common.options import ARCHITECTURES, ENTRY_POINTS, OPTIONS, declared

DOCS = ROOT / "docs"
PAGES = [*sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts), ROOT / "README.md"]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")


def without_code(page):
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page):
    """Name the headings as GitHub does."""
    titles = re.findall(r"^#+ (.+)$", without_code(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def rows(entry_point):
    """Read the table of an entry point in docs/reference/options.md: (default, models, meaning) by option."""
    heading = "train.py" if entry_point == "main" else f"train.py {entry_point}"
    section = (DOCS / "reference/options.md").read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    cells = (re.split(r"(?<!\\)\|", line)[1:-1] for line in section.splitlines() if line.startswith("| `"))
    return {name.strip().strip("`"): [cell.strip().replace("\\|", "|") for cell in rest] for name, *rest in cells}


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 180


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for path, anchor in LINK.findall(without_code(page)):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


def test_readme_leads_to_every_page():
    """By the links of Markdown, as where the code is kept; pages of models are made when the site is built."""
    seen, edge = set(), {ROOT / "README.md"}
    while edge:
        seen |= edge
        links = {
            (page.parent / path).resolve() for page in edge for path, _ in LINK.findall(without_code(page)) if path
        }
        edge = {path for path in links if path.suffix == ".md" and path.is_file()} - seen
    made = set((DOCS / "models").glob("*2*.md"))
    assert {str(page.relative_to(ROOT)) for page in set(PAGES) - made - seen} == set()


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_options_page_has_every_option_with_its_default_and_choices(entry_point):
    options, told = declared(entry_point), rows(entry_point)
    # What every entry point has is in the first table.
    assert set(options) - {"ds", "limit"} == set(told) - {"ds", "limit"}
    for name, (default, _, meaning) in told.items():
        assert default == str(options[name].default), name
        for choice in options[name].choices:
            assert f"`{choice}`" in f"`{default}` {meaning}" or choice in default.split(","), f"{name}: {choice}"
    if entry_point == "main":
        assert {"ds", "limit"} <= set(told)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_option_that_is_used_exists(page):
    assert set(re.findall(r"-P (\w+)=", page.read_text())) - {"name"} <= set(OPTIONS)


def recipe(page):
    """A model folder's train.py as a page shows it, and the name of the folder."""
    shown = re.compile(r'^```python\n("""(\w+): .*?)^```', re.DOTALL | re.MULTILINE)
    ((code, name),) = shown.findall((ROOT / page).read_text())
    return code, name


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_model_that_is_shown_is_the_one_in_its_folder(page):
    code, name = recipe(page)
    # All but the first statement, which says what the model is.
    shown, there = (ast.parse(text).body[1:] for text in (code, (ROOT / name / "train.py").read_text()))
    assert [ast.unparse(statement) for statement in shown] == [ast.unparse(statement) for statement in there]


def test_recipe_of_readme_trains(repository, tmp_path, monkeypatch):
    """Two files as it says: one as it is shown, the other a copy with another name."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store := new_store(tmp_path))
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow.set_tracking_uri(store)
    code, name = recipe("README.md")
    folder, data = repository / name, write_survey(tmp_path / "data", survey_rows(100))
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "MLproject").write_text(
        (repository / "w2r" / "MLproject").read_text().replace("name: w2r", f"name: {name}")
    )
    (folder / "train.py").write_text(code)
    made = runpy.run_path(str(folder / "train.py"))
    functions = {kind: made[kind] for kind in ARCHITECTURES}
    assert train._run(folder, functions, ["--ds", str(data), "--epochs", "1"]) == 0
