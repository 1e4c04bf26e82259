"""Dependencies of single tiers, beyond the environment of all: brought when the tier is first run, so that nobody else waits for them."""

import importlib
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from sms_stack import bootstrap, packages
from sms_stack.errors import StackError
from sms_stack.home import ROOT


def bring(group: str, modules: Sequence[str]) -> None:
    """A dependency group of the project, unless its modules are here. Raises `StackError` where it cannot be brought."""
    if all(find_spec(module) is not None for module in modules):
        return
    tools = ROOT / "var" / "tools"
    try:
        uv = bootstrap.find_uv(tools) or bootstrap.install_uv(tools)
        bootstrap.sync(ROOT, uv, sys.executable, group=group)
    except (bootstrap.CannotPrepare, packages.PackagesMissing) as problem:
        raise StackError(str(problem)) from problem
    importlib.invalidate_caches()
