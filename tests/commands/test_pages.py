"""Every command and every piece of code that a page shows is tried: a new page cannot slip through.

Commands run in this process, against small generated data, a store with small models and servers on loopback. Of
trainings two are run to the end, in one epoch, the others up to their first step; with ``ZOO_HEAVY_TESTS=1`` all are.
"""

import os
import re

import pytest

from commands.pages import MARKS, READ, RUN, blocks_of, pages

# All else is imported where it is used: each process of the tests collects this file, one of them runs it.
BLOCKS = [block for page in pages() for block in blocks_of(page) if block.language in RUN]
WHOLE = bool(os.environ.get("ZOO_HEAVY_TESTS"))
NUMBER = re.compile(r"\d+\.\d+")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The world, made by a user who is nobody."""
    from commands.world import World

    with pytest.MonkeyPatch.context() as patch:
        world = World(tmp_path_factory.mktemp("world"))
        for name, value in world.environment().items():
            patch.setenv(name, value)
        patch.delenv("ZOO_SHIPPED", raising=False)
        patch.chdir(world.folder)
        world.fill_store()
    yield world
    world.close()


@pytest.fixture
def world(made, monkeypatch):
    """The world, entered by this test."""
    import mlflow

    for name, value in made.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ZOO_SHIPPED")
    mlflow.set_tracking_uri(made.store)
    return made


def place(world, block):
    return world.place(re.sub(r"\W+", "-", str(block)))


def of(*languages):
    return pytest.mark.parametrize("block", [one for one in BLOCKS if one.language in languages], ids=str)


def test_languages_and_markers_of_all_blocks_are_known():
    """A block of another language needs a word here of how it is tried."""
    for block in [block for page in pages() for block in blocks_of(page)]:
        assert block.language in (*RUN, *READ) or block.language.startswith("{"), f"{block}: {block.language}"
        assert block.mark in ("", *MARKS), f"{block}: {block.mark}"


@of("console")
def test_commands_run(world, block):
    from commands.runner import Shell

    shell = Shell(world, place(world, block), real=not block.mark or (WHOLE and block.mark == "heavy"), whole=WHOLE)
    for command in block.commands:
        # Another machine is none of a test's.
        shell.real = shell.real and not command.machine
        outcome = shell.type(command.text)
        print(f"{outcome.how}: {command.text}")
        if command.output and command.output[0].startswith("error: "):
            # What a page shows to go wrong does, and says so; … stands for what it leaves out.
            shown = ".*".join(map(re.escape, "\n".join(command.output).split("…")))
            assert outcome.code, f"{block}\n$ {command.text}"
            # Absolute paths are shown as they were typed.
            found = outcome.text.replace(f"{shell.home}/", "")
            assert re.search(shown, found), f"{block}\n$ {command.text}\n{outcome.text}"
            continue
        assert outcome.code == 0, f"{block}\n$ {command.text}\n{outcome.text}"
        if command.output and outcome.how == "real":
            compare(outcome.out, "\n".join(command.output), f"{block}\n$ {command.text}")


def compare(found, shown, where):
    """Compare what was printed with what a page shows: numbers to a thousandth, all else exactly."""
    assert NUMBER.sub("#", found).strip() == NUMBER.sub("#", shown).strip(), where
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (found, shown)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-3), where


@of("python")
def test_python_runs(world, block, monkeypatch):
    from commands import code

    here = place(world, block)
    monkeypatch.chdir(here)
    if block.mark == "fragment":
        code.check_fragment(block)
    else:
        code.run(block, world)


@of("js")
def test_javascript_is_whole(world, block):
    from commands import code

    code.check_javascript(block, place(world, block))


@of("bash")
def test_shell_scripts_call_what_is_there(world, block):
    from commands import code

    code.check_script(block)


@of("yaml")
def test_yaml_is_read_and_its_commands_are_there(world, block):
    from commands import code

    code.check_yaml(block)


@of("nginx")
def test_proxy_is_of_this_service(block):
    from commands import code

    code.check_nginx(block)


@pytest.mark.parametrize(
    "command",
    [
        "zoo predict b2r@shipped --inputs examples/galaxies.csv --output -",
        "zoo predict b2r@shipped --input examples/nowhere.csv --output -",
        "zoo predict b2r@shipped --input examples/galaxies.csv --output - | grep nothing-like-this",
        "python -m sdss_gs info DS --jsn",
        "mlflow run b2r -P epoch=20 --no-conda",
        "mlflow run b2r -P epochs=20",
        "mlflow run b2r -e evaluate -P ds=NOWHERE --no-conda",
        "mlflow ui --portt 5000",
        "make nothing",
        'pip install -e ".[nothing]"',
        "python -m benchmarks.photoz --dss DS",
        "nothing-like-this --help",
    ],
)
def test_what_does_not_work_is_found(world, command):
    """Else a page could say anything."""
    from commands.runner import run

    assert run(command, world).code


@pytest.mark.parametrize(
    "text",
    ["<!-- commands: heavy -->\n\n```console\n$ zoo list\n```\n", "```console\nzoo list\n```\n"],
    ids=["a marker before none", "no prompt"],
)
def test_blocks_that_would_slip_through_are_refused(tmp_path, text):
    (tmp_path / "page.md").write_text(text)
    with pytest.raises(ValueError, match=r"page\.md:1: expected"):
        print([block.commands for block in blocks_of(tmp_path / "page.md", tmp_path)])
