"""What the pages show: their blocks, and the commands in them."""

import re
from dataclasses import dataclass
from functools import cached_property

from conftest import ROOT

FENCE = re.compile(r"^ *(`{3,}|:{3,}|~{3,})(.*)$")
MARKER = re.compile(r"^ *<!-- commands: (\w+) -->$")
PROMPT = re.compile(r"^(\w*)\$ +(.*)$")
COMMENT = re.compile(r"(?:^|\s+)#\s.*$")
RUN = ("console", "python", "bash", "js", "yaml", "nginx")
"""Languages of blocks that are tried."""
READ = ("", "text", "bibtex", "json", "csv", "toml", "ini", "html", "diff", "mermaid")
"""Languages of blocks that are only read: nothing in them is typed."""
MARKS = ("internet", "heavy", "fragment")
"""What stands in ``<!-- commands: … -->`` on the line before a block.

internet: its commands ask servers elsewhere; against played ones, or only parsed. heavy: too much for every run of the
tests; only parsed, unless ``ZOO_HEAVY_TESTS`` is set. fragment: code of Python that is compiled and whose imports are
tried, since what it works on is the reader's.
"""


@dataclass(frozen=True)
class Command:
    """A line to be typed, the lines below it joined; whose machine it is for, if it says so; what it prints."""

    text: str
    machine: str = ""
    output: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; the line is that of its fence."""

    page: str
    line: int
    language: str
    mark: str
    text: str

    def __str__(self):
        return f"{self.page}:{self.line}"

    @cached_property
    def commands(self):
        """The commands of a console block; lines before the first one are an error of the page."""
        found, going_on = [], False
        for line in self.text.splitlines():
            prompted = PROMPT.match(line)
            text = COMMENT.sub("", prompted[2] if prompted else line).rstrip()
            if going_on:
                found[-1] = Command(found[-1].text + " " + text.strip().removesuffix("\\").rstrip(), found[-1].machine)
            elif prompted:
                found.append(Command(text.removesuffix("\\").rstrip(), prompted[1]))
            elif not found:
                raise ValueError(f"{self}: expected a line that begins with '$ ', found {line!r}")
            elif line.strip():
                found[-1] = Command(found[-1].text, found[-1].machine, (*found[-1].output, line))
            going_on = (prompted is not None or going_on) and text.endswith("\\")
        return found


def pages():
    """All pages of which something may be typed; not those of models, which the site is built with, of what ships."""
    found = {ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "weights" / "recipe.md"}
    found |= {path for path in ROOT.glob("docs/**/*.md") if "_build" not in path.parts}
    found -= set(ROOT.glob("docs/models/*2*.md"))
    return sorted(path for path in found if path.is_file())


def blocks_of(path, root=ROOT):
    """List the blocks of a page; a marker that stands before none is a ValueError."""
    page, lines, found = str(path.relative_to(root)), path.read_text().splitlines(), []
    fence = language = mark = ""
    first = 0
    for number, line in enumerate(lines, 1):
        fenced = FENCE.match(line)
        if fence:
            if fenced and fenced[1].startswith(fence) and not fenced[2].strip():
                text = "".join(f"{one}\n" for one in lines[first : number - 1])
                found.append(Block(page, first, language, mark, text))
                fence = mark = ""
        elif fenced and fenced[1][0] != ":":
            fence, language, first = fenced[1], fenced[2].strip(), number
        elif mark:
            raise ValueError(f"{page}:{number - 1}: expected a block below <!-- commands: {mark} -->")
        elif marker := MARKER.match(line):
            mark = marker[1]
    return found
