"""What the page tells a newcomer to write does what it says."""

import asyncio
import inspect
import json
import re
import sys
from types import ModuleType

import pytest

from sms_providers import registry
from sms_providers.testing import ProviderRules

NAMES = ["sms_providers.adapters.acme", "test_acme"]


@pytest.fixture
def page(root):
    return (root / "ADDING_A_PROVIDER.md").read_text()


@pytest.fixture
def rules(page, monkeypatch):
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == len(NAMES)
    for name, block in zip(NAMES, blocks, strict=True):
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(block, name, "exec"), vars(module))
    monkeypatch.setitem(registry.ADAPTERS, "acme", sys.modules[NAMES[0]].AcmeProvider)
    return sys.modules[NAMES[1]].TestAcme()


def test_its_adapter_obeys_the_rules(rules):
    checked = 0
    for name, _ in inspect.getmembers(ProviderRules, inspect.isfunction):
        if name.startswith("test_"):
            result = getattr(rules, name)()
            if inspect.iscoroutine(result):
                asyncio.run(result)
            checked += 1
    assert checked > 20


def test_its_configuration_without_code_is_sound(page):
    (block,) = re.findall(r"^ *```json\n(.*?)^ *```", page, re.MULTILINE | re.DOTALL)
    able = registry.build("generic", json.loads(block)).capabilities
    assert (able.reports, able.validity) == ("pushed", True)
