"""``zoo data build``: make a data set of any selection of SDSS objects."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from sdss_gs.build import PICTURES
from sdss_gs.build.addresses import RELEASES, Addresses
from sdss_gs.errors import DataError, OptionError, did_you_mean
from sdss_gs.formats.composite import WEIGHTS, weights_of
from sdss_gs.logs import hidden

DESCRIPTION = """\
Build a data set in the SDSS-GS layout: data.csv, img/, fits/ and spectra/, of any selection of SDSS objects. What is
there is not fetched again; a killed or failed build goes on with the same command (or without a selection). What could
not be built is listed in rejects.csv with the reason.
"""
FILE_INPUTS = ("img", "fits", "spectra")


def add_options(command: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    default = Addresses()
    command.add_argument("ds", metavar="DIR", help="folder to create or go on with")
    selection = command.add_argument_group(
        "selection (one; none: go on with what DIR holds)"
    ).add_mutually_exclusive_group()
    selection.add_argument("--sql", metavar="FILE", help="file with a query in SkyServer's SQL")
    selection.add_argument("--query", metavar="TEXT", help="the query itself; must return objid, ra and dec")
    selection.add_argument("--ids", metavar="FILE", help="objids, one on each line, or a table with a column objid")
    selection.add_argument("--table", metavar="FILE", help="CSV, Parquet, FITS or VOTable with ra, dec and more")
    selection.add_argument("--top", type=int, metavar="N", help="N galaxies with sub-class and good redshift")
    command.add_argument("--show-query", action="store_true", help="print the query of --top, to be changed for --sql")
    command.add_argument("--frames", metavar="FOLDER", help="make img and fits of the frames there, without a server")
    command.add_argument("--weights", default=",".join(map(str, WEIGHTS)), help="of i, r, g in pictures of --frames")
    command.add_argument("--inputs", help=f"comma-separated ({','.join(FILE_INPUTS)}; with --frames img,fits)")
    command.add_argument("--images", choices=PICTURES, help="source of the pictures (skyserver; with --frames frames)")
    command.add_argument("--release", type=int, default=default.release, help=f"one of {', '.join(map(str, RELEASES))}")
    command.add_argument("--workers", type=int, default=4, help="transfers at a time")
    command.add_argument("--rate", type=float, default=5.0, help="requests a second, of all workers together")
    command.add_argument("--timeout", type=float, default=60.0, help="seconds without a sign of the server")
    command.add_argument("--query-rate", type=float, default=1.0, help="queries a second; SkyServer allows 60 a minute")
    command.add_argument("--query-timeout", type=float, default=660.0, help="seconds; SkyServer ends a query after 600")
    command.add_argument("--attempts", type=int, default=5, help="times a request is sent before it has failed")
    command.add_argument(
        "--pause", type=float, default=1.0, help="seconds before a repeated request; doubled each time"
    )
    command.add_argument("--cache", default=None, help="folder for frames until they are cut (None: DIR/cache)")
    for name in ("skyserver", "sas", "ps1"):
        command.add_argument(f"--{name}", default=getattr(default, name), metavar="URL", help="address of the server")


def run(options: argparse.Namespace) -> int:
    """Run the command; return 0 if there is anything in the data set, else 1."""
    from sdss_gs.build import query

    if options.show_query:
        print(query.selection(top=options.top))
        return 0
    inputs = list(dict.fromkeys((options.inputs or ",".join(FILE_INPUTS[: 2 if options.frames else 3])).split(",")))
    for name in inputs:
        if name not in FILE_INPUTS:
            meant = did_you_mean(name, FILE_INPUTS)
            raise OptionError(f"--inputs {name}: expected some of {', '.join(FILE_INPUTS)}{meant}")
    for name in ("top", "workers", "rate", "timeout", "attempts", "query_rate", "query_timeout"):
        value = getattr(options, name)
        if value is not None and not value > 0:
            raise OptionError(f"--{name.replace('_', '-')} {value}: expected more than 0")
    return _build(options, inputs)


def _build(options: argparse.Namespace, inputs: list[str]) -> int:
    from sdss_gs.build import query
    from sdss_gs.build.ledger import NAME, Ledger
    from sdss_gs.build.local import FrameFolder
    from sdss_gs.build.run import build
    from sdss_gs.build.selection import write_catalogue
    from sdss_gs.build.work import Workshop

    folder = Path(options.ds)
    pictures = options.images or ("frames" if options.frames else "skyserver")
    if pictures == "frames" and not options.frames:
        raise OptionError("--images frames: expected --frames FOLDER, where they are")
    frames = FrameFolder(Path(options.frames), weights_of(options.weights)) if options.frames else None
    addresses = Addresses(options.skyserver, options.sas, options.ps1, options.release)
    if (folder / "data.csv").exists() and not (folder / NAME).exists():
        raise OptionError(f"{folder}: holds a data set that was not built by this command; give a new folder")
    with Ledger(folder) as ledger:
        with _client(options, 1, options.query_rate, options.query_timeout) as client:
            _select(options, ledger, lambda sql: query.ask(client, addresses, sql))
        rows = ledger.rows()
        if not rows:
            raise DataError(f"{folder}: no objects; say which with --sql, --query, --ids, --table or --top")
        write_catalogue(folder, rows)
        if "img" in inputs:
            other = pictures == "frames" and frames.weights != WEIGHTS
            _same_pictures(ledger, f"frames {options.weights}" if other else pictures)
        cache = Path(options.cache) if options.cache else folder / "cache"
        try:
            with _client(options, options.workers, options.rate, options.timeout) as client:
                workshop = Workshop(folder, cache, addresses, client, pictures)
                build(workshop, ledger, rows, inputs, options.workers, frames)
        finally:
            built = _report(folder, ledger, rows, inputs)
    return 0 if built else 1


def _client(options: argparse.Namespace, at_once: int, rate: float, timeout: float):
    from sdss_gs.remote import Client

    patience = {"attempts": options.attempts, "backoff": options.pause, "timeout": (10.0, timeout)}
    return Client(at_once=at_once, per_second=rate, **patience)


def _select(options: argparse.Namespace, ledger, ask) -> None:
    from tqdm import tqdm

    from sdss_gs.build import query, selection, tables

    def progress(batches):
        return tqdm(batches, "asking SkyServer", unit=" queries", disable=hidden(len(batches) > 1))

    def note(text):
        tqdm.write(text, file=sys.stderr)

    if options.ids:
        selection.select_ids(ledger, ask, tables.read_ids(options.ids), note, progress)
    elif options.table:
        selection.select_table(ledger, None if options.frames else ask, Path(options.table), note, progress)
    elif options.top:
        selection.select_by_query(ledger, ask, query.selection(top=options.top), note, own=False)
    elif options.query or options.sql:
        selection.select_by_query(ledger, ask, options.query or _text(options.sql), note)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"--sql {path}: expected a text file with a query: {error}") from None


def _same_pictures(ledger, source: str) -> None:
    first = ledger.setting("images", source)
    if first != source:
        raise OptionError(f"--images {source}: the pictures of this data set come from {first}, which differ in colour")


def _report(folder: Path, ledger, rows: list[dict], inputs: list[str]) -> bool:
    """Print what there is and write what there is not; tell whether anything is there."""
    from sdss_gs.build.ledger import FAILED, REFUSED
    from sdss_gs.build.run import count_files, write_rejects

    there = {name: count_files(folder, name, rows) for name in inputs}
    rejects = ledger.outcomes(REFUSED, FAILED)
    path = write_rejects(folder, rejects)
    kinds = Counter((outcome.input, outcome.status) for outcome in rejects)
    print(f"{'catalogue':<10} {len(rows):>9,} objects  {kinds['catalogue', REFUSED]:>7,} refused")
    for name, count in there.items():
        lost = f"{kinds[name, REFUSED]:>7,} refused  {kinds[name, FAILED]:>7,} failed"
        print(f"{name:<10} {count:>9,} files    {lost}")
    if rejects:
        print(f"{path}: what was refused, and what failed and is tried again by the next run")
    print(folder)
    if not any(there.values()):
        print("error: nothing was built", file=sys.stderr)
    return any(there.values())
