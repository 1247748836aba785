"""``zoo serve``: trained models as a service on the network, and one page to look at galaxies."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from common.data.locate import dataset_folder
from sdss_gs.errors import OptionError, ZooError

if TYPE_CHECKING:
    from common.serve.objects import Objects
    from common.serve.served_models import ServedModel

NEEDED = {"fastapi": "fastapi", "uvicorn": "uvicorn", "python_multipart": "python-multipart"}
"""Package by module."""
BACKLOG = 256
CLOSING_SECONDS = 5


def serve(
    host: str,
    port: int,
    ds: str,
    names: Sequence[str] | None,
    limits: dict[str, float],
    mlflow_address: str,
    say: Callable[[str], None] = print,
    token_file: Path | None = None,
    runtime: str = "",
) -> None:
    """Serve models until the process is told to stop.

    Parameters
    ----------
    host : str
        Name or address to listen at.
    port : int
        0 takes any that is free.
    ds : str
        Data set; empty for the usual one (`sdss_gs.locate`), or none where there is none.
    names : sequence of str or None
        Models, as for `opening.load`; None for all champions.
    limits : dict of str to float
        Fields of `limits.Limits`.
    mlflow_address : str
        Where ``mlflow ui`` answers, for links.
    say : callable
        Is told what a user must know.
    token_file : Path, optional
        File with the token that clients must know; by default ``$ZOO_TOKEN``, if there is one.
    runtime : str
        As for `opening.load`.

    Raises
    ------
    ZooError
        If a package is missing, the address cannot be listened at, or the data set or a model is not there.
    """
    require(NEEDED)
    # Everything that is quick to fail comes before TensorFlow.
    listening = listen(host, port)
    try:
        folder = dataset_folder(ds)
        from common.serve.access import known_hosts, read_token

        token, hosts = read_token(token_file), known_hosts(host)
        import uvicorn

        from common.serve.app import make_app
        from common.serve.connections import configure
        from common.serve.limits import Limits
        from common.serve.objects import open_objects
        from common.serve.served_models import open_served

        objects = open_objects(folder, say) if folder else None
        served = open_served(names, say, mlflow_address, runtime)
        app = make_app(served, objects, Limits(**limits), hosts, token)
        _announce(listening, served, objects, say)
        if not token and not hosts:
            say("anybody who reaches this port may ask: --token-file FILE changes that")
        config = configure(app, "warning", backlog=BACKLOG, timeout_graceful_shutdown=CLOSING_SECONDS)
        try:
            uvicorn.Server(config).run(sockets=[listening])
        except KeyboardInterrupt:
            say("stopped")
        app.state.workers.close()
    finally:
        listening.close()


def require(packages: Mapping[str, str]) -> None:
    """Check that packages, given by module, are installed.

    Raises
    ------
    ZooError
        If one is not.
    """
    missing = [package for module, package in packages.items() if find_spec(module) is None]
    if missing:
        raise ZooError(f'zoo serve needs {", ".join(missing)}; in the repository: pip install -e ".[serve]"')


def listen(host: str, port: int) -> socket.socket:
    """Take an address.

    Raises
    ------
    OptionError
        If it is not there or another program has it.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        expected = "a name or address of this machine"
        raise OptionError(f"host: expected {expected}, found {host!r} ({error.strerror})") from None
    both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
    try:
        made = socket.create_server(address, family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        reason = os.strerror(error.errno)
        raise OptionError(f"port: cannot listen at {host}:{port}: {reason}; --port takes another") from None
    # asyncio sends small answers at once (TCP_NODELAY) only on sockets that are said to be TCP, and `create_server`
    # does not say so: each answer on a connection that is kept would wait 40 ms for the client's acknowledgement.
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=made.detach())


def _announce(
    listening: socket.socket, served: Mapping[str, ServedModel], objects: Objects | None, say: Callable[[str], None]
) -> None:
    # Not with the others: what is quick to fail comes before it.
    from common.models.model import origin_notes

    host, port = listening.getsockname()[:2]
    models = ", ".join(f"{name} ({one.model.runtime.name})" for name, one in served.items())
    say(f"models: {models or 'none yet (mlflow run b2r --no-conda trains one in a minute)'}")
    for note in origin_notes(one.model for one in served.values()):
        say(note)
    say(f"data: {f'{objects.name}, {len(objects):,} galaxies' if objects else 'none (--ds FOLDER)'}")
    say(f"http://{f'[{host}]' if ':' in host else host}:{port}/  (Ctrl-C stops)")
