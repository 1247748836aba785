"""One polite visitor of servers, shared by all threads that ask something of them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, InvalidHeader, MaxRetryError
from urllib3.util import Retry

from sdss_gs import __version__
from sdss_gs.errors import RemoteError

ADDRESS = "https://doi.org/10.5281/zenodo.6393487"
"""What a server's administrator finds out more from; the data set stands for the zoo, which has no page of its own."""
USER_AGENT = f"sdss-zoo/{__version__} (+{ADDRESS}) {requests.utils.default_user_agent()}"
PASSING = (429, 500, 502, 503, 504)
"""Statuses of a server that may answer when it is asked again."""
ADDRESS_ERRORS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
)
LONG_PAUSE = 5.0
"""Seconds after which a silent pause would look like the end."""
LONGEST_WAIT = 600.0
"""Seconds; a server that asks for a longer pause is believed this far."""

T = TypeVar("T")


class Client:
    """Send requests within limits of rate and number; try again what may pass. Safe to share between threads.

    Parameters
    ----------
    at_once : int
        Requests that may be under way at a time, their bodies included.
    per_second : float, optional
        Requests that may begin per second; None: no limit.
    attempts : int
        Times one request is sent before its last failure is the user's.
    backoff : float
        Seconds; the pauses before further attempts are 0, 2, 4, 8, … times this, or what ``Retry-After`` says.
    timeout : tuple of float
        Seconds until a connection is given up, and seconds without a byte until an answer is.
    say : callable
        Is told why when a pause is longer than five seconds.
    """

    def __init__(
        self,
        *,
        at_once: int = 4,
        per_second: float | None = None,
        attempts: int = 7,
        backoff: float = 1.0,
        timeout: tuple[float, float] = (10.0, 60.0),
        say: Callable[[str], None] = lambda _: None,
    ):
        self.backoff, self.timeout, self.say = backoff, timeout, say
        self._patience = Retry(attempts - 1, status_forcelist=PASSING, backoff_factor=backoff)
        self._interval = 1 / per_second if per_second else 0.0
        self._places = threading.BoundedSemaphore(at_once)
        self._clock, self._next = threading.Lock(), 0.0
        self._stopped = threading.Event()
        self._session = requests.Session()
        # Byte offsets are those of the file, not of a compressed form of it.
        self._session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=at_once))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_) -> None:
        self.stop()
        self._session.close()

    def stop(self) -> None:
        """Have every thread that waits or reads end with KeyboardInterrupt."""
        self._stopped.set()

    def sleep(self, seconds: float) -> None:
        """Wait, unless or until the client is stopped."""
        if self._stopped.wait(seconds):
            raise KeyboardInterrupt

    def request(
        self,
        url: str,
        use: Callable[[requests.Response], T],
        *,
        params: Mapping[str, Any] | None = None,
        headers: Callable[[], Mapping[str, str]] = dict,
        also: tuple[int, ...] = (),
    ) -> T:
        """Send a GET, again while it may pass, until `use` has read the answer.

        Parameters
        ----------
        url : str
        use : callable
            Takes the response, whose body has not been read yet, and returns what this function returns. It may be
            called again when reading the body fails.
        params : mapping, optional
            The query.
        headers : callable
            Returns the headers of one attempt.
        also : tuple of int
            Statuses of 400 and more whose answer `use` reads, too: what is wrong with the request.

        Raises
        ------
        RemoteError
            Names the address and what came: after the last attempt, or at once for a status such as 404.
        """
        patience = self._patience
        while True:
            wait = None
            try:
                with self._places:
                    self._keep_distance()
                    with self._session.get(
                        url, params=params, headers=headers(), stream=True, timeout=self.timeout
                    ) as response:
                        status = f"HTTP {response.status_code} {response.reason}"
                        if response.status_code < 400 or response.status_code in also:
                            return use(response)
                        if response.status_code not in PASSING:
                            raise RemoteError(f"{url}: the server answered {status}", response.status_code)
                        failure, code, wait = status, response.status_code, self._asked_to_wait(response)
            except (requests.RequestException, HTTPError) as error:
                failure, code = self._reason(error), None
                if isinstance(error, ADDRESS_ERRORS) or "CERTIFICATE_VERIFY_FAILED" in str(error):
                    raise RemoteError(f"{url}: {failure}") from None
            try:
                patience = patience.increment("GET", url, error=HTTPError(failure))
            except MaxRetryError:
                attempts = len(patience.history) + 1
                raise RemoteError(f"{url}: given up after {attempts} attempts: {failure}", code) from None
            pause = patience.get_backoff_time() if wait is None else wait
            if pause > LONG_PAUSE:
                self.say(f"{url}: {failure}; asked again in {pause:.0f} s")
            self.sleep(pause)

    def get(self, url: str, params: Mapping[str, Any] | None = None) -> bytes:
        """Return the body of a small answer."""
        return self.request(url, lambda response: response.content, params=params)

    def json(self, url: str, params: Mapping[str, Any] | None = None) -> Any:
        """Return a JSON answer.

        Raises
        ------
        RemoteError
            Also when the answer is something else, such as a page that says sorry.
        """
        body, kind = self.request(
            url, lambda response: (response.content, response.headers.get("Content-Type", "no type")), params=params
        )
        try:
            return json.loads(body)
        except ValueError:
            begins = body[:60].decode(errors="replace").strip()
            raise RemoteError(f"{url}: expected JSON, the server sent {kind} that begins {begins!r}") from None

    def _keep_distance(self) -> None:
        with self._clock:
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + self._interval
        self.sleep(start - now)

    def _asked_to_wait(self, response: requests.Response) -> float | None:
        """Tell how long ``Retry-After`` asks to wait, and have the other threads wait as long."""
        try:
            wait = self._patience.get_retry_after(response.raw)
        except InvalidHeader:
            return None
        if wait is not None:
            wait = min(wait, LONGEST_WAIT)
            with self._clock:
                self._next = max(self._next, time.monotonic() + wait)
        return wait

    def _reason(self, error: BaseException) -> str:
        """Say in a few words what is at the bottom of a chain of exceptions."""
        if isinstance(error, requests.exceptions.ConnectTimeout):
            return f"no connection within {self.timeout[0]:g} s"
        if isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error):
            return f"nothing came for {self.timeout[1]:g} s"
        bottom: BaseException | None = error
        while bottom is not None:
            if isinstance(bottom, OSError) and not isinstance(bottom, requests.RequestException) and bottom.strerror:
                return bottom.strerror
            bottom = bottom.__cause__ or bottom.__context__
        return str(error)
