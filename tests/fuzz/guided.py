"""
One target under atheris, which looks which lines an input reaches and goes on from those that reach new ones.

`python guided.py TARGET SECONDS SEED CORPUS`; a process of its own, because libFuzzer ends the one that it runs in.
"""

import signal
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sms_contract", "sms_providers"]):
    import sms_providers.registry  # noqa: F401 - every adapter

from targets import TARGETS


def main(name: str, seconds: str, seed: str, folder: str) -> None:
    target = TARGETS[name]
    corpus = Path(folder)
    corpus.mkdir(parents=True, exist_ok=True)
    for number, each in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(each)

    def run(data: bytes) -> None:
        try:
            target.run(data)
        except Exception as error:
            # libFuzzer's alarm, which Python no longer handles while it ends, would end the process before it has told of this.
            signal.setitimer(signal.ITIMER_REAL, 0)
            error.add_note(f"for {data[:300]!r}")
            raise

    options = [f"-max_total_time={seconds}", f"-seed={seed}", "-max_len=65536", "-timeout=20", f"-artifact_prefix={corpus}.", str(corpus)]
    atheris.Setup([sys.argv[0], *options], run)
    atheris.Fuzz()


main(*sys.argv[1:])
