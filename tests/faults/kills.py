"""All commands that are killed."""

from .kill_data import build_command, download_command, pack_command, predict_command
from .kill_models import distributions_command, export_command, import_command, sweep_command, train_command
from .killing import kill_often

COMMANDS = {
    "pack": pack_command,
    **{f"predict into {ending}": predict_command(ending) for ending in (".parquet", ".csv", ".fits")},
    "zoo predict --pdf grid": distributions_command,
    "download": download_command,
    "build": build_command,
    "zoo import into a new store": import_command,
    "zoo export": export_command,
    "train": train_command,
    "sweep": sweep_command,
}


def kill_command(name, kills, folder, seed=0):
    """Kill one of `COMMANDS` so many times."""
    folder.mkdir(parents=True, exist_ok=True)
    command, stop = COMMANDS[name](folder)
    try:
        return kill_often(command, kills, folder / "work", seed)
    finally:
        stop()
