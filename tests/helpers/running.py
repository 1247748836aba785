"""A service in a thread of this process."""

import threading
from contextlib import contextmanager

import uvicorn

from common.serve.connections import configure
from common.serve.service import listen


@contextmanager
def running(app, **options):
    """Serve an application on loopback, with options of Uvicorn; give its address."""
    with listen("127.0.0.1", 0) as listening:
        server = uvicorn.Server(configure(app, "error", **options))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.start()
        try:
            yield address
        finally:
            server.should_exit = True
            thread.join(5)
            if hasattr(app.state, "workers"):
                app.state.workers.close()
