"""The documents are true: commands print what is shown, examples run, links lead somewhere."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [str(path.relative_to(ROOT)) for path in TEXTS]


@pytest.fixture(scope="module")
def docs():
    """scripts/docs.py as a module."""
    spec = importlib.util.spec_from_file_location("docs", ROOT / "scripts" / "docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plain(docs, text):
    return docs.PORT.sub("PORT", text)


@pytest.mark.parametrize("path", TEXTS, ids=NAMES)
def test_commands_print_what_is_shown(docs, path):
    shown = path.read_text("utf-8")
    assert plain(docs, docs.refreshed(shown)) == plain(docs, shown), "make docs renews them"


def test_old_output_is_noticed(docs):
    shown = "text\n\n    $ winsock --version\n    winsock 0.0\n\nmore\n"
    assert re.fullmatch(
        r"text\n\n    \$ winsock --version\n    winsock \d+\.\d+\.\d+\n\nmore\n", docs.refreshed(shown)
    )
    assert "0.0\n" not in docs.refreshed(shown)


def test_other_blocks_are_left_alone(docs):
    text = "    $ make demo\n    whatever\n\n    winsock run app.py\n"
    assert docs.refreshed(text) == text


def test_several_commands_in_a_block(docs):
    block = "    $ winsock --version\n    $ winsock --version\n    old\n"
    assert docs.refreshed(block).count("winsock 0.") == 2


@pytest.mark.parametrize("path", TEXTS, ids=NAMES)
def test_links(path):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text("utf-8")):
        assert target.startswith("http") or (path.parent / target).exists(), target


EXAMPLES = [
    pytest.param(code, id=f"{path.relative_to(ROOT)}-{n}")
    for path in TEXTS
    for n, code in enumerate(re.findall(r"^```python\n(.*?)^```", path.read_text("utf-8"), re.M | re.S), 1)
]


@pytest.mark.parametrize("code", EXAMPLES)
def test_examples_run(code):
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_every_document_is_reached():
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    assert {p.name for p in (ROOT / "docs").glob("*.md")} - {"index.md"} <= set(
        re.findall(r"\]\(([\w-]+\.md)\)", index)
    )
