"""What is four times as long takes about four times as long: no input makes a reader work with the square of its length."""

import time
from collections.abc import Callable

import pytest
from targets import TARGETS, Target

_LEAST = 0.004  #: below that a clock says little
_RATIO = 10.0  #: of four times the length: 4 where it is linear, 16 where it is quadratic

#: From a length to what is put behind a seed, or in place of its body.
_SHAPES: dict[str, Callable[[int], bytes]] = {
    "fields": lambda n: b"&a=1" * n,
    "one field again": lambda n: b"&status=delivered" * n,
    "percent signs": lambda n: b"&a=" + b"%41" * n,
    "digits": lambda n: b"&NumSegments=" + b"9" * n,
    "blanks": lambda n: b" " * n,
    "brackets": lambda n: b"[" * n,
    "objects": lambda n: b"[" + b",".join([b'{"a":[{"b":"1"}]}'] * n) + b"]",
    "entries": lambda n: b'{"type":"submission.v1","entries":[' + b",".join([b'{"to":"1"}'] * n) + b"]}",
    "names": lambda n: b"{" + b",".join(b'"a%d":1' % i for i in range(n)) + b"}",
    "escapes": lambda n: b'{"type":"' + b"\\u00e9" * n + b'","entries":[]}',
}


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest) -> Target:
    return TARGETS[request.param]


def cost(target: Target, data: bytes) -> float:
    """Processor time, the least of three: what else runs here only adds to it."""
    costs = []
    for _ in range(3):
        began = time.process_time()
        target.run(data)
        costs.append(time.process_time() - began)
    return min(costs)


@pytest.mark.parametrize("shape", _SHAPES)
@pytest.mark.parametrize("replaced", [False, True], ids=["behind", "alone"])
def test_time_grows_with_length_and_not_with_its_square(target: Target, shape: str, replaced: bool) -> None:
    head, _, body = target.seeds[0].partition(b"\n")
    before = head + b"\n" if body else b""
    kept = b"" if replaced else target.seeds[0][len(before) :]
    length = 500
    short = cost(target, before + kept + _SHAPES[shape](length))
    while short < _LEAST and length < 64_000:
        length *= 4
        short = cost(target, before + kept + _SHAPES[shape](length))
    if short < _LEAST:
        return  # a long one costs nothing
    assert cost(target, before + kept + _SHAPES[shape](4 * length)) < _RATIO * short, f"{shape} × {length}"
