"""What the entry says while it works: plain words on stderr, so that stdout belongs to results."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

errors = Console(stderr=True, highlight=False, soft_wrap=True)
results = Console(highlight=False, soft_wrap=True)


def say(text: str) -> None:
    errors.print(text, markup=False)


@contextmanager
def step(text: str) -> Iterator[None]:
    """One line when it is done, with the seconds it took; a spinner until then where there is a terminal."""
    start = time.monotonic()
    with errors.status(text):
        yield
    errors.print(f"  [green]✓[/green] {text} [dim]({time.monotonic() - start:.1f} s)[/dim]")
