"""
One target under atheris, which looks which lines an input reaches and goes on from those that reach new ones.

`python guided.py TARGET SECONDS SEED CORPUS`; a process of its own, because libFuzzer ends the one that it runs in.
"""

import faulthandler
import sys
import time
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sms_contract", "sms_providers"]):
    import sms_providers.registry  # noqa: F401 - every adapter

from targets import TARGETS

#: Seconds: what one input may take, and what is left after the end for whatever still runs.
_SLOW, _LATE = 20, 60


class SlowInputError(AssertionError):
    """An input takes longer than anything that a vendor sends may."""


def main(name: str, seconds: str, seed: str, folder: str) -> None:
    target = TARGETS[name]
    corpus = Path(folder)
    corpus.mkdir(parents=True, exist_ok=True)
    for number, each in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(each)

    def run(data: bytes) -> None:
        began = time.monotonic()
        target.run(data)
        if time.monotonic() - began > _SLOW:
            raise SlowInputError(f"{time.monotonic() - began:.0f} s for {data[:300]!r}")

    # Without libFuzzer's `-timeout`: its alarm ends the process where its handler is not in place, as while libFuzzer ends. The watchdog
    # says where it hangs.
    faulthandler.dump_traceback_later(int(seconds) + _LATE, exit=True)
    options = [f"-max_total_time={seconds}", f"-seed={seed}", "-max_len=65536", "-timeout=0", f"-artifact_prefix={corpus}.", str(corpus)]
    atheris.Setup([sys.argv[0], *options], run)
    atheris.Fuzz()


main(*sys.argv[1:])
