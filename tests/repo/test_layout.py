"""The layout: sizes, names, places."""

import ast
import re

#: Made by a program, or a list that grows by being appended to.
_LONG = {"uv.lock", "_numbering.py", "CHANGELOG.md", "LICENSE"}
_MEANINGLESS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "tools"}
#: Written so that this file does not name them itself.
_MACHINE = re.compile(r"(?<![\w.])/(?:work|root)" + r"/|/tmp/" + r"bash_jobs|/home/[a-z]+" + r"/")
_SOMEBODY_ELSE = re.compile(r"\.\./sha" + r"red/|\bsha" + r"red/(?:design|reference)/")


def test_no_file_has_more_than_400_lines(texts):
    long = {
        str(path): text.count("\n")
        for path, text in texts.items()
        if text.count("\n") > 400 and path.name not in _LONG and path.suffix != ".svg" and "migrations" not in path.parts
    }
    assert not long


def test_nothing_is_imported_inside_a_function(sources):
    hidden = []
    for path, text in sources.items():
        for function in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            hidden += [f"{path}:{node.lineno}" for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not hidden


def test_names_say_what_a_thing_is(tree):
    assert [str(path) for path in tree if path.suffix == ".py" and {path.stem, *path.parts[:-1]} & _MEANINGLESS] == []


def test_no_path_of_some_machine_is_written_down(texts):
    found = [
        f"{path}:{number}"
        for path, text in texts.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if _MACHINE.search(line) or _SOMEBODY_ELSE.search(line)
    ]
    assert not found


def test_every_module_begins_with_a_sentence_about_itself(sources):
    silent = [
        str(path)
        for path, text in sources.items()
        if text.strip() and path.name != "apps.py" and "migrations" not in path.parts and ast.get_docstring(ast.parse(text)) is None
    ]
    assert not silent


def test_the_licence_is_whole(root):
    text = (root / "LICENSE").read_text()
    assert text.lstrip().startswith("Apache License")
    assert "END OF TERMS AND CONDITIONS" in text
