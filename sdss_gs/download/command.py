"""``zoo data download``: the SDSS Galaxy Subset, from Zenodo to a folder that every other command takes."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout
from tqdm import tqdm

from sdss_gs.download.fetching import GROWTH, check_space, fetch_all, missing_bytes
from sdss_gs.download.layout import CATALOGUE, FILE_INPUTS, install, named_input, wanted_by
from sdss_gs.download.unpack import is_archive, unpack, unpacked_size
from sdss_gs.download.zenodo import HOST, Entry, Record, find_record
from sdss_gs.errors import DataError, OptionError
from sdss_gs.files import remove_leftovers, replacing
from sdss_gs.logs import hidden
from sdss_gs.remote import Client

STATE = "download.json"
"""In the data set's folder: which version it is, and which inputs of it are there."""
ARCHIVES, UNPACKING, LOCK = "archives", ".unpacking", "download.lock"
ON_DISK = "files on disk"
PAGE = "https://doi.org/10.5281/zenodo.6393487"


@dataclass
class State:
    """What a folder is to hold of the published set; `complete` names the inputs whose files are all in place."""

    source: str
    version: str
    files: list[str]
    complete: list[str] = field(default_factory=list)

    @staticmethod
    def read(folder: Path) -> State | None:
        """Read a folder's state; None for a folder that is empty or not there; any other is refused."""
        try:
            return State(**json.loads((folder / STATE).read_text()))
        except FileNotFoundError:
            # A process killed at the very beginning may leave its lock and half a state.
            if not folder.exists() or all(path.name.startswith((LOCK, STATE)) for path in folder.iterdir()):
                return None
            raise DataError(f"{folder}: expected an empty folder or none, found files of another origin") from None
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"{folder / STATE}: expected what an earlier download wrote, found {error}") from None

    def write(self, folder: Path) -> None:
        """Write the state into its folder."""
        with replacing(folder / STATE) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1))


def download(
    folder: str | Path,
    *,
    version: str | None = None,
    inputs: Sequence[str] | None = None,
    archives: Sequence[str | Path] = (),
    host: str = HOST,
    at_once: int = 3,
    keep: bool = False,
    client: Client | None = None,
    say: Callable[[str], None] = print,
) -> bool:
    """Bring the published data set into a folder, or what is still missing of it.

    Killed at any point, the same call goes on: parts of archives are continued, unpacked archives are not unpacked
    again, and `folder` gets its ``data.csv`` when everything else is in place.

    Parameters
    ----------
    folder : path-like
        Absent, empty, or begun by this function.
    version : str, optional
        Name, record number or DOI of a version; the newest by default, or the one that was begun.
    inputs : sequence of str, optional
        Inputs with one file per object to take; all by default.
    archives : sequence of path-like
        Files on disk to take instead of what a server has. They stay where they are.
    host : str
        Zenodo, or a server that answers like it.
    at_once : int
        Files fetched at a time.
    keep : bool
        Leave the archives in ``<folder>/archives``.
    client : Client, optional
        Is closed in the end.
    say : callable
        Is told what is chosen and done.

    Returns
    -------
    bool
        False if everything was there already.

    Raises
    ------
    ZooError
        One line that names the file, address or option.
    """
    folder = Path(folder).expanduser().resolve()
    inputs = list(FILE_INPUTS) if inputs is None else list(inputs)
    try:
        State.read(folder)
        with _only_one(folder), client or Client(at_once=at_once, say=partial(tqdm.write, file=sys.stderr)) as client:
            state = State.read(folder)
            if state and version is None and not archives and set(inputs) <= set(state.complete):
                say(f"{folder} is complete: {state.version}. Newer versions, if any: {PAGE}")
                return False
            if archives:
                return _from_disk(folder, state, [Path(path) for path in archives], inputs, say)
            begun = state.source if state and state.source != ON_DISK else None
            record = find_record(client, host, version or begun)
            return _from_record(client, folder, state, record, inputs, at_once, keep, say)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror or error}); the same command goes on") from None


@contextmanager
def _only_one(folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0):
            remove_leftovers(folder)
            yield
    except Timeout:
        raise DataError(f"{folder}: another process is downloading into this folder; wait for it or stop it") from None


def _from_record(client, folder, state, record, inputs, at_once, keep, say) -> bool:
    names = [entry.name for entry in record.entries]
    state, missing = _begin(folder, state, State(str(record.number), str(record), names), inputs, say)
    if not missing:
        return False
    chosen = _choose(record, missing, say)
    archives, unpacking = folder / ARCHIVES, _unpacking(folder, missing)
    to_fetch = [entry for entry in chosen if not (unpacking / entry.name).exists()]
    archives.mkdir(exist_ok=True)
    check_space(folder, missing_bytes(to_fetch, archives), int(GROWTH * sum(entry.size for entry in to_fetch)))
    fetch_all(client, to_fetch, archives, at_once)
    _put_in_place(folder, state, [archives / entry.name for entry in chosen], missing, say, remove=not keep)
    if not keep:
        shutil.rmtree(archives)
    return True


def _from_disk(folder: Path, state: State | None, archives: list[Path], inputs: list[str], say) -> bool:
    for path in archives:
        if not path.is_file():
            raise OptionError(f"--from {path}: no such file")
    names = [path.name for path in archives]
    if len(set(names)) < len(names):
        raise OptionError(f"--from: expected files of different names, found {', '.join(sorted(names))}")
    described = [f"{path.name} ({path.stat().st_size:,} bytes)" for path in archives]
    state, missing = _begin(folder, state, State(ON_DISK, ", ".join(described), described), inputs, say)
    if missing:
        _put_in_place(folder, state, archives, missing, say, remove=False)
    return bool(missing)


def _begin(folder: Path, present: State | None, wanted: State, inputs: list[str], say) -> tuple[State, list[str]]:
    """Make the folder one of this version, and tell which inputs are not there yet."""
    if present is None:
        wanted.write(folder)
        return wanted, inputs
    if (present.source, sorted(present.files)) != (wanted.source, sorted(wanted.files)):
        raise DataError(f"{folder}: holds {present.version}; name another folder for {wanted.version}")
    missing = [name for name in inputs if name not in present.complete]
    if not missing:
        say(f"{folder} is complete: {present.version}")
    return present, missing


def _choose(record: Record, inputs: list[str], say) -> list[Entry]:
    """Take the files of a record that may hold the inputs; a name that speaks of another input is passed over."""
    if not record.entries:
        raise DataError(f"record {record.number}: expected files, found none")
    chosen = []
    say(f"{record}, {record.doi}")
    for entry in record.entries:
        about = named_input(entry.name)
        taken = about is None or about in inputs
        chosen += [entry] if taken else []
        say(f"{entry.name}, {entry.size / 1e6:,.1f} MB{'' if taken else f': passed over, it is {about}'}")
    return chosen


def _put_in_place(folder, state, archives, inputs, say, *, remove) -> None:
    """Unpack, move into the folder, and note it there."""
    unpacked = _unpack_all(folder, archives, inputs, remove)
    for line in install(unpacked, folder):
        say(line)
    state.complete = sorted({*state.complete, *inputs}, key=list(FILE_INPUTS).index)
    state.write(folder)
    shutil.rmtree(folder / UNPACKING)
    absent = [name for name in inputs if not (folder / name).is_dir()]
    if absent:
        say(f"without {', '.join(absent)}: none of the archives holds files of that kind")


def _unpacking(folder: Path, inputs: Sequence[str]) -> Path:
    """Return where archives are unpacked; apart for each choice of inputs, of which the content depends."""
    return folder / UNPACKING / "+".join(inputs)


def _unpack_all(folder: Path, archives: Sequence[Path], inputs: Sequence[str], remove: bool) -> list[Path]:
    unpacking = _unpacking(folder, inputs)
    unpacking.mkdir(parents=True, exist_ok=True)
    todo = [path for path in archives if not (unpacking / path.name).exists()]
    sizes = {path: path.stat().st_size for path in todo}
    packed = {path for path in todo if is_archive(path)}
    check_space(folder, 0, int(sum(unpacked_size(path) or GROWTH * sizes[path] for path in packed)))
    with tqdm(total=sum(sizes.values()), unit="B", unit_scale=True, desc="unpacking", disable=hidden()) as bar:
        for path in todo:
            if path in packed:
                unpack(path, unpacking / path.name, wanted=wanted_by(inputs), advance=bar.update)
            elif path.name == CATALOGUE:
                with replacing(unpacking / path.name) as temporary:
                    shutil.copyfile(path, temporary)
            # Other files, such as a list of checksums, are not for the data set's folder.
            if remove:
                path.unlink()
    return [unpacking / path.name for path in archives if (unpacking / path.name).exists()]
