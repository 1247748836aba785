"""A client of the service."""

import urllib.error
import urllib.request


def ask(address, body=None, method=None, **headers):
    """Send a request, with JSON unless another Content_Type is given; return status, content and headers."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"} | names, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers
