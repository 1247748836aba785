"""Fetching from servers that cut, stall, lie and ask for patience."""

import hashlib
import resource
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers.misbehaving import MisbehavingServer, Trouble

from sdss_gs.errors import DataError, RemoteError
from sdss_gs.remote import Client, fetch

BODY = bytes(range(256)) * 4 * 2**10 + b"the end"
MD5 = f"md5:{hashlib.md5(BODY).hexdigest()}"


@pytest.fixture
def server():
    with MisbehavingServer() as running:
        running.files["/a.zip"] = BODY
        yield running


@pytest.fixture
def client():
    with Client(attempts=3, backoff=0.01, timeout=(2, 0.3)) as visitor:
        yield visitor


def sent(server):
    return sum(request.sent for request in server.asked("/a.zip"))


def test_file_arrives_whole_and_leaves_nothing_beside_it(server, client, tmp_path):
    steps = []
    path = fetch(client, f"{server.url}/a.zip", tmp_path / "new" / "a.zip", checksum=MD5, advance=steps.append)
    assert path.read_bytes() == BODY
    assert sum(steps) == len(BODY)
    assert [file.name for file in path.parent.iterdir()] == ["a.zip"]
    agent = server.requests[0].headers["User-Agent"]
    assert agent.startswith("sdss-zoo/")
    assert "https://" in agent


def test_file_that_is_there_is_not_asked_for_again(server, client, tmp_path):
    (tmp_path / "a.zip").write_bytes(BODY)
    fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip", size=len(BODY), checksum=MD5)
    assert not server.requests
    (tmp_path / "a.zip").write_bytes(BODY[:-1])
    fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip", size=len(BODY), checksum=MD5)
    assert (tmp_path / "a.zip").read_bytes() == BODY


@pytest.mark.parametrize("percent", [10, 50, 99])
def test_cut_connection_is_continued_and_not_begun_again(server, client, tmp_path, percent):
    server.troubles["/a.zip"].append(Trouble(cut=percent / 100))
    steps = []
    path = fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip", advance=steps.append)
    assert path.read_bytes() == BODY
    assert sum(steps) == sent(server) == len(BODY)
    assert server.requests[1].headers["Range"] == f"bytes={server.requests[0].sent}-"


def test_many_cuts_do_not_exhaust_the_attempts_while_each_brings_something(server, client, tmp_path):
    server.troubles["/a.zip"].extend(Trouble(cut=tenth / 10) for tenth in range(1, 10))
    assert fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip", checksum=MD5).read_bytes() == BODY
    assert sent(server) == len(BODY)


@pytest.mark.parametrize("etags", [True, False])
def test_another_process_continues_where_one_was_cut(server, client, tmp_path, etags):
    server.etags = etags
    server.troubles["/a.zip"].append(Trouble(cut=0.5))
    server.always["/a.zip"] = Trouble(status=503)
    with pytest.raises(RemoteError, match=r"a\.zip: given up after 3 attempts: HTTP 503"):
        fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip", checksum=MD5)
    server.always.clear()
    with Client() as later:
        assert fetch(later, f"{server.url}/a.zip", tmp_path / "a.zip", checksum=MD5).read_bytes() == BODY
    assert server.requests[-1].status == 206
    assert server.requests[-1].sent < 0.6 * len(BODY)


def test_file_that_changed_in_between_is_begun_again(server, client, tmp_path):
    server.troubles["/a.zip"].append(Trouble(cut=0.5))
    server.always["/a.zip"] = Trouble(status=404)
    with pytest.raises(RemoteError, match="HTTP 404"):
        fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip")
    server.always.clear()
    server.files["/a.zip"] = changed = BODY[::-1]
    assert fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip").read_bytes() == changed


def test_part_of_an_unknown_version_is_not_continued_where_nothing_verifies_it(server, client, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(b"something else")
    assert fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip").read_bytes() == BODY


def test_part_that_is_whole_needs_no_request(server, client, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(BODY)
    fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip", size=len(BODY), checksum=MD5)
    assert not server.requests


def test_server_without_ranges_sends_it_all_again(server, client, tmp_path):
    server.ranges = False
    server.troubles["/a.zip"].append(Trouble(cut=0.5))
    steps = []
    path = fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip", checksum=MD5, advance=steps.append)
    assert path.read_bytes() == BODY
    assert sum(steps) == len(BODY)


def test_server_without_ranges_that_always_cuts_is_given_up(server, client, tmp_path):
    server.ranges = False
    server.always["/a.zip"] = Trouble(cut=0.5)
    with pytest.raises(RemoteError, match="given up after 3 attempts"):
        fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip", checksum=MD5)


def test_range_that_begins_elsewhere_is_refused(server, client, tmp_path):
    server.troubles["/a.zip"].extend([Trouble(cut=0.5), Trouble(wrong_offset=True)])
    assert fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip", size=len(BODY)).read_bytes() == BODY
    assert [request.status for request in server.requests] == [200, 206, 200]


def test_part_longer_than_the_file_is_begun_again(server, client, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(BODY + BODY)
    assert fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip", checksum=MD5).read_bytes() == BODY
    assert [request.status for request in server.requests] == [416, 200]


def test_wrong_bytes_once_heal(server, client, tmp_path):
    server.troubles["/a.zip"].append(Trouble(wrong_bytes=True))
    assert fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip", checksum=MD5).read_bytes() == BODY


def test_wrong_bytes_twice_are_an_error_with_both_hashes(server, client, tmp_path):
    server.always["/a.zip"] = Trouble(wrong_bytes=True)
    with pytest.raises(RemoteError) as error:
        fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip", checksum=MD5)
    wrong = hashlib.md5(bytes(255 - byte for byte in BODY)).hexdigest()
    assert str(error.value) == f"{server.url}/a.zip: expected md5 {MD5[4:]}, found {wrong}, twice"
    assert not list(tmp_path.iterdir())


def test_file_of_another_size_is_refused_before_it_is_fetched(server, client, tmp_path):
    with pytest.raises(RemoteError, match=r"expected 17 bytes, the server offers 1,048,583 of application"):
        fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip", size=17)


def test_page_in_place_of_a_file_is_refused_and_what_has_come_is_kept(server, client, tmp_path):
    server.troubles["/a.zip"].extend([Trouble(cut=0.5), Trouble(page=True)])
    with pytest.raises(RemoteError, match="expected a file, the server sent a page"):
        fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip")
    assert (tmp_path / "a.zip.part").stat().st_size == server.requests[0].sent
    assert fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip").read_bytes() == BODY


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_passing_statuses_are_tried_again(server, client, tmp_path, status):
    server.troubles["/a.zip"].extend([Trouble(status=status)] * 2)
    assert fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip").read_bytes() == BODY


def test_other_statuses_are_final(server, client, tmp_path):
    with pytest.raises(RemoteError, match=r"/none: the server answered HTTP 404") as error:
        fetch(client, f"{server.url}/none", tmp_path / "none")
    assert error.value.status == 404
    assert len(server.requests) == 1
    assert not list(tmp_path.iterdir())


def test_retry_after_is_obeyed_by_every_thread(server, client):
    server.files["/b"] = b"b"
    server.troubles["/a.zip"].append(Trouble(status=429, retry_after="1"))
    begin = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.get, f"{server.url}/a.zip")
        while not server.requests or not server.requests[0].status:
            time.sleep(0.01)
        time.sleep(0.05)
        pool.submit(client.get, f"{server.url}/b").result()
        assert time.monotonic() - begin > 0.9
        assert first.result() == BODY


def test_stalled_server_is_asked_again_for_the_rest(server, client, tmp_path):
    server.troubles["/a.zip"].append(Trouble(stall=True))
    assert fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip").read_bytes() == BODY
    assert sent(server) == len(BODY)


def test_server_that_always_stalls_is_named(server, client):
    server.always["/a.zip"] = Trouble(stall=True)
    with pytest.raises(RemoteError, match=r"a\.zip: given up after 3 attempts: nothing came for 0\.3 s"):
        client.get(f"{server.url}/a.zip")


def test_server_that_is_not_there_is_named(client, tmp_path):
    with MisbehavingServer() as gone:
        address = gone.url
    with pytest.raises(RemoteError, match="given up after 3 attempts: Connection refused"):
        fetch(client, f"{address}/a.zip", tmp_path / "a.zip")


def test_address_that_is_none_is_named_at_once(client):
    with pytest.raises(RemoteError, match="zenodo"):
        client.get("zenodo.org/a")


def test_json_is_read_and_a_page_is_not_json(server, client):
    server.files["/record"] = b'{"id": 6393488}'
    assert client.json(f"{server.url}/record") == {"id": 6393488}
    server.always["/record"] = Trouble(page=True)
    with pytest.raises(RemoteError, match=r"/record: expected JSON, the server sent text/html.*begins '<!DOCTYPE"):
        client.json(f"{server.url}/record")


def test_requests_keep_their_distance(server):
    server.files["/b"] = b"b"
    with Client(per_second=20, at_once=8) as client, ThreadPoolExecutor(8) as pool:
        begin = time.monotonic()
        list(pool.map(client.get, [f"{server.url}/b"] * 11))
        assert time.monotonic() - begin > 0.48


def test_only_so_many_requests_are_under_way(server):
    server.files["/b"] = b"b"
    server.always["/b"] = Trouble(seconds_per_chunk=0.03)
    with Client(at_once=2) as client, ThreadPoolExecutor(8) as pool:
        list(pool.map(client.get, [f"{server.url}/b"] * 8))
    assert server.most_at_once == 2


def test_stopping_ends_a_wait(server, tmp_path):
    server.always["/a.zip"] = Trouble(status=503, retry_after="500")
    with Client() as client, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(fetch, client, f"{server.url}/a.zip", tmp_path / "a.zip")
        threading.Timer(0.1, client.stop).start()
        with pytest.raises(KeyboardInterrupt):
            waiting.result(timeout=5)


def test_long_pause_is_said(server):
    server.always["/a.zip"] = Trouble(status=429, retry_after="99")
    told = []

    def say(text):
        told.append(text)
        client.stop()

    with Client(say=say) as client, pytest.raises(KeyboardInterrupt):
        client.get(f"{server.url}/a.zip")
    assert told == [f"{server.url}/a.zip: HTTP 429 Too Many Requests; asked again in 99 s"]


def test_full_disk_is_one_line_and_what_has_come_is_kept(server, client, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(BODY) // 2, hard))
    try:
        with pytest.raises(DataError, match=r"a\.zip: cannot be written \(File too large\); the same command"):
            fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert fetch(client, f"{server.url}/a.zip", tmp_path / "a.zip").read_bytes() == BODY
    assert server.requests[-1].status == 206
