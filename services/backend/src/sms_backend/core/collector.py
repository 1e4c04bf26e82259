"""Python's collector of cycles, in processes that make thousands of small objects a second and hardly a cycle."""

import gc


def settle() -> None:
    """What lives now lives as long as the process: the collector need not look at it again and again, nor so often at what is new."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
