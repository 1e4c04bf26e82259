"""
What the system's package manager has to bring, installed without starting or enabling a service.

Runs before the environment exists, so: the standard library alone, and nothing newer than Python 3.9.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys

#: As root. An existing policy-rc.d is put back even after an interruption; apt waits for another apt.
#: `update` only when the first try fails: most images that lack the packages have fresh lists or none at all.
_INSTALL = r"""
set -eu
mkdir -p /run/lock
exec 9>/run/lock/smsgw-install.lock
flock 9
policy=/usr/sbin/policy-rc.d; kept=$policy.before-smsgw; mark='installed by smsgw for a moment'
restore() {
    if grep -qs "$mark" $policy; then rm -f $policy; fi
    if [ -e $kept ] || [ -h $kept ]; then mv -f $kept $policy; fi
}
restore
trap restore EXIT
trap 'exit 130' INT TERM HUP
if [ -e $policy ] || [ -h $policy ]; then mv $policy $kept; fi
printf '#!/bin/sh\n# %s\nexit 101\n' "$mark" > $policy
chmod 755 $policy
before=$(systemctl list-unit-files --no-legend 2>/dev/null | cut -d' ' -f1 || true)
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"; }
install "$@" || { apt-get -o DPkg::Lock::Timeout=300 update && install "$@"; }
for unit in postgresql.service redis-server.service rabbitmq-server.service epmd.service epmd.socket; do
    case "
$before
" in *"
$unit
"*) ;; *) systemctl disable "$unit" >/dev/null 2>&1 || true ;; esac
done
"""


class PackagesMissing(Exception):  # noqa: N818 -- what is the case, not only that something failed
    """Packages are needed and nobody here may install them."""


def command_line(packages: list[str]) -> str:
    """What somebody with the right to do so would type."""
    return f"apt-get update && apt-get install -y --no-install-recommends {' '.join(packages)}"


def install(packages: list[str], *, reason: str) -> None:
    """Install `packages`, as root or through sudo, or say what to run."""
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise PackagesMissing(
            f"{reason}: install {names} with this system's package manager (this is not Debian or Ubuntu), then try again."
        )
    prefix: list[str] = []
    if os.geteuid() != 0:
        prefix = _sudo()
        if not prefix:
            raise PackagesMissing(f"{reason}, and this user may not install packages. Run as root: {command_line(packages)}")
    say(f"{reason}; installing {names} with apt-get, without starting their services.")
    script = [*prefix, "sh", "-c", _INSTALL, "sh", *packages]
    # apt must not share this terminal's stdin: a question would wait for ever.
    run = subprocess.run(script, stdin=None if prefix else subprocess.DEVNULL, stdout=sys.stderr, check=False)  # noqa: S603
    if run.returncode != 0:
        raise PackagesMissing(f"apt-get could not install {names} (its words are above). Try as root: {command_line(packages)}")


def _sudo() -> list[str]:
    if shutil.which("sudo") is None:
        return []
    if subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0:  # noqa: S607
        return ["sudo", "-n"]
    return ["sudo"] if sys.stdin.isatty() else []


def say(text: str) -> None:
    print(f"smsgw: {text}", file=sys.stderr, flush=True)  # noqa: T201 -- rich is not here yet


def quoted(command: list[str]) -> str:
    return " ".join(shlex.quote(word) for word in command)
