"""The examples of the pages run: shell blocks in one shell a page, Python examples as doctests."""

import os
import sys
from pathlib import Path

import pytest

from tests.helpers import run
from tools.docs.pages import ROOT

DOCTEST = """
import doctest, re, sys
page = open(sys.argv[1], encoding="utf-8").read()
examples = "\\n".join(re.findall(r"^```python\\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
test = doctest.DocTestParser().get_doctest(examples, {}, sys.argv[1], sys.argv[1], 0)
sys.exit(not test.examples or doctest.DocTestRunner().run(test).failed)
"""


@pytest.fixture(scope="session")
def workspace(artifacts):
    """A folder with the repository's test data, in which the quickstart ran."""

    def build(folder):
        folder.mkdir()
        (folder / "tests").symlink_to(ROOT / "tests")
        run_shell_examples(folder, "docs/quickstart.md")

    return artifacts.get("workspace", build)


def run_shell_examples(folder, page):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    tool = ROOT / "tools/docs/examples.py"
    environment = {**os.environ, "PATH": path}
    run(sys.executable, tool, "--check", ROOT / page, cwd=folder, env=environment)


def run_python_examples(folder, page):
    run(sys.executable, "-c", DOCTEST, ROOT / page, cwd=folder)


@pytest.mark.nightly
def test_quickstart_runs(workspace):
    assert (workspace / "bundles/glosses/manifest.json").exists()


@pytest.mark.nightly
@pytest.mark.parametrize("page", ["README.md", "docs/running.md", "docs/export.md"])
def test_python_examples_of_a_bundle_print_what_the_page_says(workspace, page):
    run_python_examples(workspace, page)


@pytest.mark.nightly
def test_python_examples_of_all_stages_print_what_the_page_says(workspace):
    run_python_examples(workspace, "docs/api.md")


@pytest.mark.nightly
def test_examples_of_scikit_learn_print_what_the_page_says(workspace):
    run_python_examples(workspace, "docs/sklearn.md")


@pytest.mark.nightly
def test_examples_for_users_of_fasttext_run(workspace):
    run_shell_examples(workspace, "docs/from-fasttext.md")
    pytest.importorskip("fasttext", reason="has no wheel for this Python")
    run_python_examples(workspace, "docs/from-fasttext.md")


@pytest.mark.nightly
def test_examples_of_an_imported_model_run(workspace):
    run_python_examples(workspace, "docs/from-keras.md")  # which train the model
    run_shell_examples(workspace, "docs/from-keras.md")


@pytest.mark.nightly
def test_shell_examples_of_the_runtime_run(workspace):
    run_shell_examples(workspace, "docs/running.md")


def test_an_example_that_fails_is_reported(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```sh\necho first\n```\n```text\n```\n\n```sh\nfalse\n```\n")
    tool = ROOT / "tools/docs/examples.py"
    done = run(sys.executable, tool, page, check=False)
    assert done.returncode == 1
    assert "exit status 1 of the example\nfalse" in done.stderr
    assert "first" not in page.read_text().partition("```text")[2]


def test_outputs_are_written_below_their_examples(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```sh\necho first\n```\n```text\nold\n```\n\n```sh\nseq 60\n```\n```text\n```\n"
    )
    run(sys.executable, ROOT / "tools/docs/examples.py", page)
    text = page.read_text()
    assert "```sh\necho first\n```\n```text\nfirst\n```\n" in text
    assert "\n29\n…\n51\n" in text
    assert text.endswith("\n60\n```\n")
