"""
From any Python 3 to the locked environment: find or install uv, find a Python, then `uv sync --locked` into .venv.

Runs before the environment exists, so: the standard library alone, and nothing newer than Python 3.9.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from sms_stack.packages import PackagesMissing, install, quoted, say

PYTHONS = ("3.14", "3.13", "3.12")  #: newest first; what is newer than these has no wheels yet
OLDEST_UV = (0, 9)
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


class CannotPrepare(Exception):  # noqa: N818 -- what is the case
    """The environment cannot be made here, and why."""


def answer(command: list[str]) -> str | None:
    """What a program prints, or None when it does not run: a shim on PATH may stand for nothing."""
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.strip() if run.returncode == 0 else None


def downloading() -> dict[str, str]:
    """Both uv and pip bring authorities of their own; this system's are right also behind a proxy that signs for itself."""
    environment = dict(os.environ)
    environment.pop("VIRTUAL_ENV", None)
    if AUTHORITIES.exists() and "SSL_CERT_DIR" not in environment:
        environment.setdefault("SSL_CERT_FILE", str(AUTHORITIES))
        environment.setdefault("PIP_CERT", environment["SSL_CERT_FILE"])
    return environment


def find_uv(tools: Path) -> str | None:
    candidates = [shutil.which("uv"), str(Path.home() / ".local/bin/uv"), str(Path.home() / ".cargo/bin/uv"), *own_uv(tools)]
    for candidate in candidates:
        version = re.match(r"uv (\d+)\.(\d+)", (candidate and answer([candidate, "--version"])) or "")
        if candidate and version and (int(version[1]), int(version[2])) >= OLDEST_UV:
            return candidate
    return None


def own_uv(tools: Path) -> list[str]:
    return [str(tools / "venv/bin/uv"), str(tools / "pip/bin/uv")]


def install_uv(tools: Path) -> str:
    """By pip, into a folder of the project's own; a machine without venv and pip gets them from its packages."""
    say("uv is not here; installing it by pip under var/tools.")
    python = sys.executable
    venv, target = tools / "venv", tools / "pip"
    make_venv = [python, "-m", "venv", "--clear", str(venv)]
    ways = [
        [make_venv, [str(venv / "bin/python"), "-m", "pip", "install", "--quiet", "uv"]],
        # Without ensurepip no venv; into a folder, pip also works where the environment is externally managed.
        [[python, "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(target), "uv"]],
    ]
    said = ""
    for attempt in (1, 2):
        for way in ways:
            for command in way:
                run = subprocess.run(command, env=downloading(), capture_output=True, text=True, check=False)  # noqa: S603
                if run.returncode != 0:
                    said = f"{quoted(command)}: {(run.stderr or run.stdout).strip()[-400:]}"
                    break
            else:
                uv = find_uv(tools)
                if uv:
                    return uv
        if attempt == 1 and (
            answer([python, "-m", "ensurepip", "--version"]) is None and answer([python, "-m", "pip", "--version"]) is None
        ):
            install(["python3-venv", "python3-pip"], reason="Python here has neither venv nor pip")
            continue
        break
    raise CannotPrepare(f"uv could not be installed. Install it (https://docs.astral.sh/uv/) and try again. The last try said: {said}")


def find_python(root: Path) -> str | None:
    """An absolute path to a Python that is new enough and really answers; the one that .venv stands on is kept."""
    named = os.environ.get("UV_PYTHON", "")
    pyenv = os.environ.get("PYENV_ROOT") or str(Path.home() / ".pyenv")
    candidates = [str(root / ".venv/bin/python"), *([named] if Path(named).is_absolute() else [])]
    for version in PYTHONS:
        candidates += filter(None, [shutil.which(f"python{version}"), f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"])
        installed = Path(pyenv).glob(f"versions/{version}.*/bin/python{version}")
        candidates += map(str, sorted(installed, key=lambda path: [int(n) for n in re.findall(r"\d+", path.parts[-3])], reverse=True))
    candidates.append("python3")
    for candidate in candidates:
        # ssl and ctypes: a Python built without them runs, but not this project.
        told = answer([candidate, "-c", "import sys, ssl, ctypes; print(*sys.version_info[:2], sys._base_executable)"])
        if told:
            major, minor, executable = told.split(" ", 2)
            if f"{major}.{minor}" in PYTHONS:
                return executable
    return None


def install_python(uv: str, tools: Path) -> str:
    say(f"No Python {PYTHONS[-1]} or newer answers here; uv installs {PYTHONS[1]} under var/tools.")
    environment = {**downloading(), "UV_PYTHON_INSTALL_DIR": str(tools / "python"), "UV_PYTHON_PREFERENCE": "only-managed"}
    for name in ("UV_PYTHON", "UV_PYTHON_DOWNLOADS"):
        environment.pop(name, None)
    run = subprocess.run([uv, "python", "install", "--no-bin", PYTHONS[1]], env=environment, stdout=sys.stderr, check=False)  # noqa: S603
    found = sorted((tools / "python").glob(f"cpython-{PYTHONS[1]}*/bin/python{PYTHONS[1]}"))
    if run.returncode != 0 or not found:
        raise CannotPrepare(f"no Python {PYTHONS[-1]} or newer could be found or installed. Install one and try again.")
    return str(found[-1])


def sync(root: Path, uv: str, python: str, *, group: str | None = None) -> None:
    say(f"Preparing the locked environment in .venv ({python}{f', with what {group} tests need' if group else ''}).")
    environment = {**downloading(), "UV_PYTHON": python, "UV_PYTHON_DOWNLOADS": "never", "UV_PROJECT_ENVIRONMENT": str(root / ".venv")}
    # Compiled once here, or every process would do it at every start where Python may not write its caches.
    wanted = ["--group", group] if group else []
    command = [uv, "sync", "--locked", "--compile-bytecode", *wanted, *([] if sys.stderr.isatty() else ["--quiet"])]
    run = subprocess.run(command, cwd=root, env=environment, stdout=sys.stderr, check=False)  # noqa: S603
    if run.returncode != 0:
        raise CannotPrepare("`uv sync --locked` did not succeed (its words are above).")


def prepare(root: Path, stamp: str) -> None:
    tools = root / "var/tools"
    tools.mkdir(parents=True, exist_ok=True)
    with (tools / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        written = root / ".venv/smsgw-stamp"
        if written.exists() and written.read_text().strip() == stamp and answer([str(root / ".venv/bin/python"), "-c", ""]) is not None:
            return  # another ./smsgw did it while this one waited
        uv = find_uv(tools) or install_uv(tools)
        sync(root, uv, find_python(root) or install_python(uv, tools))
        written.write_text(stamp + "\n")


def main() -> int:
    root, stamp = sys.argv[1:]
    try:
        prepare(Path(root), stamp)
    except (CannotPrepare, PackagesMissing) as problem:
        say(str(problem))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
