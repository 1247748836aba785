"""Turn valid files into damaged ones."""

import re

NUMBERS = (b"0", b"-1", b"1", b"255", b"65536", b"2147483647", b"4294967296", b"9223372036854775807", b"1e308", b"nan")
BYTES = (0x00, 0x01, 0x7F, 0x80, 0xFF, 0x0A, 0x0D, 0x22, 0x2C, 0x3B)
HEADER = 6000
"""Bytes at the beginning in which numbers are replaced."""


def mutate(content, others, rng):
    """Damage a file in one to four ways, drawn by chance.

    Parameters
    ----------
    content : bytes
    others : list of bytes
        Files to splice with.
    rng : random.Random
    """
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = rng.choice(WAYS)(bytearray(content), others, rng)
    return bytes(content)


def _flip(content, _others, rng):
    for _ in range(rng.choice((1, 1, 4, 32)) if content else 0):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return content


def _overwrite(content, _others, rng):
    for _ in range(rng.choice((1, 2, 8)) if content else 0):
        content[rng.randrange(len(content))] = rng.choice(BYTES)
    return content


def _flip_early(content, _others, rng):
    for _ in range(rng.choice((1, 2)) if content else 0):
        content[rng.randrange(min(len(content), 200))] = rng.randrange(256)
    return content


def _truncate(content, _others, rng):
    return content[: rng.randrange(len(content) + 1)]


def _cut_out(content, _others, rng):
    start = rng.randrange(len(content) + 1)
    del content[start : start + rng.choice((1, 2, 16, 80, 2880, 10_000))]
    return content


def _repeat(content, _others, rng):
    start = rng.randrange(len(content) + 1)
    piece = content[start : start + rng.choice((1, 16, 80, 2880, 10_000))]
    return content[:start] + piece * rng.choice((2, 3, 20)) + content[start:]


def _insert(content, _others, rng):
    start = rng.randrange(len(content) + 1)
    return content[:start] + rng.randbytes(rng.choice((1, 2, 16, 256))) + content[start:]


def _splice(content, others, rng):
    other = rng.choice(others)
    return content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other) + 1) :]


def _other_number(content, _others, rng):
    """Replace a number of the header, in place where blanks around it leave room."""
    found = list(re.finditer(rb"[0-9]+ *", bytes(content[:HEADER])))
    if not found:
        return content
    place = rng.choice(found)
    number = rng.choice(NUMBERS)
    wide = place.end() - place.start()
    content[place.start() : place.end()] = number.ljust(wide) if rng.random() < 0.7 else number[:wide].rjust(wide)
    return content


WAYS = (_flip, _flip, _overwrite, _flip_early, _truncate, _cut_out, _repeat, _insert, _splice, _other_number,
        _other_number)  # fmt: skip
