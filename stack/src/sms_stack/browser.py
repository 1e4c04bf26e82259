"""What the console's tests need beyond everybody's environment: a browser, and what drives it; brought when they are first run."""

import shutil

from sms_stack import extras, packages
from sms_stack.errors import StackError

TIER = "console"
GROUP = "browser"
_PACKAGE = "chromium"
_MODULES = ("playwright", "axe_playwright_python", "PIL")


def prepare() -> None:
    """Raises `StackError` where it cannot be brought."""
    try:
        if shutil.which(_PACKAGE) is None:
            packages.install([_PACKAGE], reason="The console's tests look at it in a real browser")
    except packages.PackagesMissing as problem:
        raise StackError(str(problem)) from problem
    extras.bring(GROUP, _MODULES)
