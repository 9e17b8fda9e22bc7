"""The pages name what exists: links, make targets, options, and the commands of their blocks."""

import json
import re
from datetime import date

import pytest

from bench.__main__ import BENCHMARKS
from glovelite.runtime.version import __version__
from tests.helpers import COMMAND_MODULES, call_main
from tools.docs.pages import MEASURED, ROOT, documentation_pages, write_block

PAGES = documentation_pages()
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):[^#\n]*## ", MAKEFILE, re.MULTILINE))
TARGETS |= {f"bench-{name}" for name in BENCHMARKS}
LINK = re.compile(r"\]\(([^)\s]+)\)")
OPTION = re.compile(r"--[a-z][a-z0-9-]*")
BLOCK = re.compile(r"^<!-- ([\w-]+) -->$(.*?)^<!-- /\1 -->$", re.MULTILINE | re.DOTALL)


def relative(path):
    return str(path.relative_to(ROOT))


def read(path):
    return path.read_text("utf-8")


def anchors(page):
    """Return the anchors that GitHub gives the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", read(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_link_leads_to_a_file_and_a_heading(page):
    for link in LINK.findall(read(page)):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_every_page_is_linked_from_the_readme():
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in LINK.findall(read(PAGES[0]))}
    assert {page for page in PAGES[1:] if page not in linked} == set()


def test_the_readme_fits_three_screens():
    assert len(read(PAGES[0]).splitlines()) <= 160


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_make_target_named_exists(page):
    commands = re.findall(r"(?:^ {4}|`)make ((?:[a-z-]+ ?)+)", read(page), re.MULTILINE)
    named = {target for command in commands for target in command.split()}
    assert named <= TARGETS


def test_every_make_target_is_documented():
    text = "\n".join(map(read, PAGES))
    assert {target for target in TARGETS if f"make {target}" not in text} == set()


def test_every_block_is_written_by_a_command_and_has_a_place(tmp_path, monkeypatch):
    (tmp_path / "train.csv").touch()
    monkeypatch.setenv("SST2", str(tmp_path))  # a benchmark leaves a table out without this set
    written = set(re.findall(r"\$\(WRITE\) (\w+)", MAKEFILE))
    for benchmark in BENCHMARKS.values():
        written |= {step.block for step in benchmark.steps() if step.block}
    places = [name for page in PAGES for name, _ in BLOCK.findall(read(page))]
    assert sorted(places) == sorted(written)


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_no_block_is_empty(page):
    blocks = [content for _, content in BLOCK.findall(read(page))]
    outputs = re.findall(r"^```text\n(.*?)^```$", read(page), re.MULTILINE | re.DOTALL)
    assert all(content.strip() for content in (*blocks, *outputs))


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_block_has_a_record_of_its_version(page):
    measured = json.loads(read(ROOT / MEASURED))
    assert {name for name, _ in BLOCK.findall(read(page))} <= set(measured)


def test_writing_a_block_records_when_and_by_which_version(tmp_path):
    (tmp_path / "docs").mkdir()
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/page.md"):
        (tmp_path / name).write_text("# Title\n", "utf-8")
    page = tmp_path / "docs" / "page.md"
    page.write_text("<!-- speed -->\n| old |\n<!-- /speed -->\n", "utf-8")
    write_block("speed", "| new |", tmp_path)
    assert "| new |" in read(page)
    record = json.loads(read(tmp_path / MEASURED))["speed"]
    assert record["version"] == __version__
    assert date.fromisoformat(record["date"]) <= date.today()


def test_every_option_is_documented():
    names = ("export", "import", "inspect", "verify", "evaluate", "compare", "site", "onnx")
    commands = [(name,) for name in COMMAND_MODULES if name != "convert"]
    commands += [("convert", name) for name in names]
    helps = [call_main(name, (*options, "--help")).stdout for name, *options in commands]
    options = {option for shown in helps for option in OPTION.findall(shown)}
    documented = {option for page in PAGES for option in OPTION.findall(read(page))}
    assert options - documented == set()
