import socket

import pytest
from pytest_socket import SocketConnectBlockedError


def test_tests_cannot_reach_beyond_this_machine():
    with (
        socket.socket() as connection,
        pytest.warns(UserWarning, match=r"192\.0\.2\.1"),
        pytest.raises(SocketConnectBlockedError),
    ):
        connection.connect(("192.0.2.1", 80))
