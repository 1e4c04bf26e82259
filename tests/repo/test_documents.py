"""That the documents are true: what they link to exists, what they name runs, what they list is what the code has."""

import re
import subprocess
import sys

from django.core.management import get_commands

from sms_stack.commands import HELP

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_COMMAND = re.compile(r"\./smsgw ([a-z]+)((?: [^\s`|;&)]+)*)")
_SETTING = re.compile(r"\b(?:SMSGW_[A-Z_]+|PUBLIC_BASE_URL|DATABASE_URL|RABBITMQ_URL|REDIS_URL)\b")
_PLAIN = re.compile(r"^\| `([a-z]+) (\[--[^`]*)`", re.MULTILINE)
_USAGE = re.compile(r"^\| `([a-z]+) ([a-z]+)([^`]*)`", re.MULTILINE)


def slug(heading: str) -> str:
    """How a heading is linked to."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def usages(root) -> dict[tuple[str, str], str]:
    """Nouns and verbs of the operator's commands, with their options."""
    page = (root / "docs/reference/commands.md").read_text()
    return {(noun, verb): rest.replace("\\|", "|") for noun, verb, rest in _USAGE.findall(page)}


def plain(root) -> dict[str, str]:
    """Commands that are their own verb, with their options."""
    return dict(_PLAIN.findall((root / "docs/reference/commands.md").read_text()))


def events(sources) -> set[str]:
    """What processes say in their logs."""
    return {event for text in sources.values() for event in re.findall(r'(?:log\.\w+|tell_each)\(\s*"([a-z]+\.[a-z_]+)"', text)}


def test_what_is_made_from_the_code_is_as_the_code_has_it(root):
    done = subprocess.run([sys.executable, "docs/generate.py", "--check"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_link_leads_somewhere(root, documents):
    broken = []
    for path, text in documents.items():
        for link in _LINK.findall(_FENCE.sub("", text)):
            if link.startswith(("http://", "https://", "mailto:")):
                continue
            place, _, anchor = link.partition("#")
            target = (root / path.parent / place).resolve() if place else root / path
            if not target.exists():
                broken.append(f"{path}: {link}")
            elif anchor and anchor not in {slug(heading) for heading in _HEADING.findall(_FENCE.sub("", target.read_text()))}:
                broken.append(f"{path}: {link} (no such heading)")
    assert not broken


def test_every_page_of_the_documentation_is_linked_to(root, documents):
    linked = {
        (root / path.parent / link.partition("#")[0]).resolve()
        for path, text in documents.items()
        for link in _LINK.findall(text)
        if not link.startswith("http")
    }
    pages = [path for path in documents if path.parts[0] == "docs" and path.name != "README.md"]
    assert [str(page) for page in pages if (root / page).resolve() not in linked] == []


def test_every_command_that_is_named_exists(root, documents):
    known = {name.split()[0] for name, _ in HELP}
    verbs = usages(root)
    django = set(get_commands())
    alone = plain(root)
    wrong = []
    for path, text in documents.items():
        for command, rest in _COMMAND.findall(text):
            words = rest.split()
            if command not in known:
                wrong.append(f"{path}: ./smsgw {command}")
            elif command == "manage" and words and words[0].islower() and words[0] not in {"help", *django}:
                noun, verb = words[0], next(iter(words[1:]), "")
                if noun in alone:
                    wrong += [
                        f"{path}: {noun} {word}" for word in words if word.startswith("--") and word not in alone[noun] + " --json --help"
                    ]
                    continue
                nouns = {each for each, _ in verbs} | {"prepare", "intake"}
                if noun not in nouns or (verb.islower() and (noun, verb) not in verbs):
                    wrong.append(f"{path}: ./smsgw manage {noun} {verb}")
                allowed = verbs.get((noun, verb), "") + " --json --help"
                wrong += [f"{path}: {noun} {verb} {word}" for word in words if word.startswith("--") and word.split("=")[0] not in allowed]
    assert not wrong


def test_every_setting_that_is_named_exists(root, documents, texts):
    page = (root / "docs/reference/settings.md").read_text()
    known = set(_SETTING.findall(page))
    named = {*documents, *(path for path in texts if path.name == ".env.example")}
    wrong = [f"{path}: {name}" for path in sorted(named) for name in set(_SETTING.findall(texts[path])) - known]
    assert not wrong


def test_the_example_of_an_environment_has_every_setting(root, texts):
    page = set(_SETTING.findall((root / "docs/reference/settings.md").read_text()))
    example = next(text for path, text in texts.items() if path.name == ".env.example")
    assert page - set(_SETTING.findall(example)) == set()


def test_every_metric_that_is_named_exists(root, documents):
    known = (root / "docs/reference/metrics.md").read_text()
    wrong = [
        f"{path}: {name}" for path, text in documents.items() for name in re.findall(r"`(smsgw_[a-z_]+)", text) if f"`{name}`" not in known
    ]
    assert not wrong


def test_every_event_of_the_logs_that_is_named_exists(root, sources):
    page = (root / "docs/howto/watch.md").read_text()
    rows = "".join(line for line in page.splitlines() if line.startswith("| `") and line.endswith(("info |", "warning |", "error |")))
    named = set(re.findall(r"`([a-z]+\.[a-z_]+)`", rows))
    assert len(named) >= 8
    assert named - events(sources) == set()


def test_every_error_code_that_is_named_exists(root, documents, sources):
    known = (root / "docs/reference/errors.md").read_text()
    areas = {code.split(".")[0] for code in re.findall(r"^\| `([a-z]+\.[a-z_]+)`", known, re.MULTILINE)}
    named = re.compile(r"`((?:" + "|".join(areas) + r")\.[a-z_]+)`")
    # Types of webhooks and events of logs are named alike.
    statuses = re.findall(r"^\| `(\w+)`", (root / "docs/reference/statuses.md").read_text(), re.MULTILINE)
    known += "".join(f"`message.{status}`" for status in statuses)
    known += "".join(f"`{event}`" for event in events(sources))
    wrong = [
        f"{path}: {code}"
        for path, text in documents.items()
        for code in named.findall(text)
        if f"`{code}`" not in known and not code.endswith(".py")
    ]
    assert not wrong


def test_the_architecture_names_every_folder(root, tree):
    text = (root / "ARCHITECTURE.md").read_text()
    folders = {folder for path in tree for folder in path.parents if folder.name and not folder.is_relative_to(".github")}
    own_words = {folder for folder in folders if folder.name not in {"src", "tests", "commands"} and not folder.name.startswith("sms_")}
    assert sorted(str(folder) for folder in own_words if folder.name not in text) == []


def test_every_module_that_is_named_in_backticks_exists(documents, tree):
    files = {str(path) for path in tree}
    suffixes = {part for file in files for part in _suffixes(file)}
    wrong = [
        f"{path}: {name}"
        for path, text in documents.items()
        for name in re.findall(r"`([\w./-]+\.(?:py|lua|toml|json))`", _FENCE.sub("", text))
        if name not in suffixes and not name.startswith(("var/", "/"))
    ]
    assert not wrong


def _suffixes(file: str) -> list[str]:
    parts = file.split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]
