"""What the console's tests need beyond everybody's environment: a browser, and what drives it; brought when they are first run."""

import importlib
import shutil
import sys
from importlib.util import find_spec

from sms_stack import bootstrap, packages
from sms_stack.errors import StackError
from sms_stack.home import ROOT

TIER = "console"
GROUP = "browser"
_PACKAGE = "chromium"
_MODULES = ("playwright", "axe_playwright_python", "PIL")


def prepare() -> None:
    """Raises `StackError` where it cannot be brought."""
    try:
        if shutil.which(_PACKAGE) is None:
            packages.install([_PACKAGE], reason="The console's tests look at it in a real browser")
        if any(find_spec(module) is None for module in _MODULES):
            tools = ROOT / "var" / "tools"
            uv = bootstrap.find_uv(tools) or bootstrap.install_uv(tools)
            bootstrap.sync(ROOT, uv, sys.executable, group=GROUP)
            importlib.invalidate_caches()
    except (bootstrap.CannotPrepare, packages.PackagesMissing) as problem:
        raise StackError(str(problem)) from problem
