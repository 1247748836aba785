"""Whom to name, and the page that describes the data."""

import importlib.util
import os
import re
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT

from sdss_gs import cite, schema
from sdss_gs.__main__ import main


@pytest.fixture(scope="module")
def writer():
    """docs/make/write_data.py as a module."""
    spec = importlib.util.spec_from_file_location("write_data", ROOT / "docs" / "make" / "write_data.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def entries(text):
    """BibTeX entries by key, with braces that match."""
    found = {}
    for kind, key, body in re.findall(r"^@(\w+)\{(\w+),\n(.*?)^\}$", text, re.MULTILINE | re.DOTALL):
        assert body.count("{") == body.count("}"), key
        fields = dict(re.findall(r"^  (\w+) = \{(.*)\},?$", body, re.MULTILINE))
        assert len(fields) == len(body.strip().splitlines()), key
        assert key not in found
        found[key] = {"kind": kind, **fields}
    assert text.count("@") == len(found)
    return found


def test_bibtex_alone_has_an_entry_for_all_that_is_cited_and_no_other(capsys):
    assert main(["cite", "--bibtex"]) == 0
    found = entries(capsys.readouterr().out)
    assert sorted(found) == sorted(key for source in cite.SOURCES for key in source.keys)
    for key, fields in found.items():
        assert {"title", "author", "year"} <= fields.keys(), key
        assert {"doi", "eprint", "adsurl", "version"} & fields.keys(), key
        assert re.fullmatch(r"10\.\d{4,5}/\S+", fields.get("doi", "10.1234/x")), key


def test_zoo_cites_itself_as_its_citation_file_does():
    file = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    own = entries(cite.bibtex())["sdss_zoo"]
    assert own["title"] == f"{{{file['title']}}}"
    assert own["author"] == f"{{{file['authors'][0]['name']}}}"
    assert own["version"] == file["version"]
    assert own["year"] == str(file["date-released"])[:4]
    dois = {reference["doi"] for reference in file["references"] if "doi" in reference}
    assert dois <= {fields.get("doi") for fields in entries(cite.bibtex()).values()}


def test_text_names_every_source_and_where_its_words_come_from(capsys):
    assert main(["cite"]) == 0
    text = capsys.readouterr().out
    for name in (
        "10.5281/zenodo.6393487",
        "Wide-field Infrared",
        "Sloan Digital Sky Survey IV",
        "Firefly",
        "Galaxy Zoo 2",
    ):
        assert name in text
    assert max(map(len, text.splitlines())) <= 120
    for source in cite.SOURCES[1:]:
        assert source.page.startswith("https://")


def test_every_input_and_output_has_somebody_to_name():
    used = " ".join(source.used_for for source in cite.SOURCES)
    for name in (*schema.INPUTS, *schema.OUTPUTS):
        assert re.search(rf"\b{name}\b", used), name


def test_pages_are_what_schema_and_citations_say(writer):
    for page in writer.PAGES:
        text = page.read_text(encoding="utf-8")
        assert writer.fill(page, text) == text, "run python docs/make/write_data.py"


def test_page_lists_every_column_that_is_read(writer):
    listed = re.findall(r"^\| `(\w+)`", writer.columns(), re.MULTILINE)
    classes = [output.column for output in schema.OUTPUTS.values() if output.classes]
    assert sorted(listed) == sorted({"objid", *schema.QUANTITIES, *classes} - set(schema.OPTIONAL))


def test_page_without_its_marks_is_not_written_silently(writer):
    with pytest.raises(SystemExit, match="expected the marks of columns once, found them 0 times"):
        writer.fill(writer.DOCS / "reference" / "data.md", "# The data set")


def test_output_that_nobody_reads_is_no_traceback():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "sdss_gs", "cite"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
