"""Write the version, build sdist and wheel, and try both where the repository is not."""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import date
from pathlib import Path

from release.bare import Bare, checks, compare, example
from release.build import build, check_metadata
from release.version import HOMES, check_clean, check_stated, undone_on_failure, write_version
from sdss_gs.errors import ZooError, user_message
from sdss_gs.terminal import print_error

ROOT = Path(__file__).resolve().parent.parent
NEXT = """
Nothing is tagged or sent yet:
    git commit --message "Version {version}" {files}
    git tag --annotate v{version} --message "Version {version}" && git push origin HEAD v{version}
    uv tool run twine upload {built}"""


def main(arguments: list[str] | None = None) -> int:
    """Release, or say in one line why not; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m release", description=__doc__)
    add, either = parser.add_argument, parser.add_mutually_exclusive_group().add_argument
    either("--version", default="", help="new version to write, such as 0.2.0 (default: check the one that is written)")
    either("--rehearse", action="store_true", help="try what stands here, though it be neither committed nor released")
    add("--output", type=Path, default=ROOT / "dist", help="folder of sdist and wheel (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        if not options.rehearse:
            check_clean(ROOT)
        with undone_on_failure(ROOT):
            if options.version:
                write_version(ROOT, options.version, date.today().isoformat())
            version = check_stated(ROOT, options.rehearse)
            files = make(options.output)
    except (ZooError, OSError) as error:
        print_error(user_message(error))
        return 1
    if not options.rehearse:
        built = " ".join(str(path) for path in files)
        print(NEXT.format(version=version, files=" ".join(HOMES), built=built))
    return 0


def make(output: Path) -> list[Path]:
    """Build and try; return sdist and wheel.

    Raises
    ------
    ZooError
        Where something is not as it should be, after everything was tried.
    """
    with tempfile.TemporaryDirectory(prefix="zoo-release-") as temporary:
        scratch = Path(temporary).resolve()
        sdist, wheel = build(ROOT, output.resolve(), scratch)
        print(f"ok  {sdist.name}: the wheel from it is the same, file by file", flush=True)
        check_metadata([sdist, wheel], scratch)
        print("ok  twine check --strict", flush=True)
        _try_wheel(wheel, scratch)
    return [sdist, wheel]


def _try_wheel(wheel: Path, scratch: Path) -> None:
    (scratch / "whole").mkdir()
    bare = Bare(scratch / "whole", wheel)
    failed = 0
    for words, check in (checks(ROOT) | {"predicting without TensorFlow": _light(wheel, scratch)}).items():
        try:
            check(bare)
            print(f"ok  {words}", flush=True)
        except ZooError as error:
            failed += 1
            print(f"no  {words}: {error}", flush=True)
    if failed:
        raise ZooError(
            f"{wheel.name}: expected all of the above to work in an empty folder, found {failed} that do not"
        )


def _light(wheel: Path, scratch: Path):
    def check(_: Bare) -> None:
        (scratch / "light").mkdir()
        light = Bare(scratch / "light", "--requirement", ROOT / "requirements-predict.txt")
        light.install("--no-deps", wheel)
        words = ("--input", example(light, ROOT), "--output", "-")
        compare(light.run("zoo", "predict", "b2r@shipped", *words), (ROOT / "README.md").read_text())

    return check


if __name__ == "__main__":
    sys.exit(main())
