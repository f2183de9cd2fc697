"""What the script that types the tutorial reads from a page, and what it calls the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.scripts import script

tutorial = script("tutorial")
PAGE = """\
# Title

```shell
python3 -m venv .venv
. .venv/bin/activate
pip install -q thing
make it
```

Words. In
`folder/a.py`:

```python
print("``")
```

<!-- status 1 -->

```shell
first
second
```

It shows:

```text
3 of 4

done
```
"""


def test_files_commands_and_what_they_show() -> None:
    first, file, last = tutorial.steps(PAGE)
    assert list(tutorial.commands(first, fresh=False)) == ["make it"]
    assert len(list(tutorial.commands(first, fresh=True))) == 4
    assert (file.name, file.text) == ("folder/a.py", 'print("``")\n')
    assert last == tutorial.Typed(commands=("first", "second"), status=1, shows=("3 of 4", "done"))


def test_a_block_that_is_nothing_of_that_is_an_error() -> None:
    with pytest.raises(ValueError, match="no file, no command"):
        tutorial.steps("Words.\n\n```python\nx = 1\n```\n")


@pytest.mark.parametrize(
    ("shown", "came", "same"),
    [
        ("1 unchanged", "== 1 unchanged in 20 s ==", True),
        ("1 unchanged", "1 regressed", False),
        ("ratio 0.758, tolerance 10 %, 8 pairs", "  ratio 0.7, tolerance 10 %, 14 pairs", True),
        ("(commit d4c619997a54)", "(commit 0123456789ab)", True),
        ("a.py:20 takes", "b.py:20 takes", False),
        ("1,204 samples/s   x", "9 samples/s x", True),
        ("regressed: 387 ms, baseline 82.7 ms (c)", "regressed: 1.2 s, baseline 310 ms (c)", True),
    ],
)
def test_numbers_and_widths_may_differ(shown: str, came: str, same: bool) -> None:
    assert (tutorial.like(shown).search(came) is not None) == same


def test_a_shell_keeps_its_folder_and_says_how_commands_end(tmp_path: Path) -> None:
    shell = tutorial.Shell(tmp_path, {"PATH": "/usr/bin:/bin"})
    try:
        assert shell.run("mkdir -p a && cd a") == (0, "\n")
        assert shell.folder() == tmp_path / "a"
        assert shell.run("cat; echo out; (exit 3)  # a comment") == (3, "out\n\n")
    finally:
        shell.close()


def follow(page: str, folder: Path) -> None:
    tutorial.follow(page, folder, fresh=False)


def test_what_differs_from_the_page_is_said(tmp_path: Path) -> None:
    follow("```shell\ntrue\necho 5 files\n```\n\n```text\n6 files\n```\n", tmp_path / "a")
    with pytest.raises(AssertionError, match="status 1, not 0"):
        follow("```shell\nfalse\n```\n", tmp_path / "b")
    with pytest.raises(AssertionError, match="status 0, not 1"):
        follow("<!-- status 1 -->\n\n```shell\ntrue\n```\n", tmp_path / "c")
    with pytest.raises(AssertionError, match="no 'green'"):
        follow("```shell\necho red\n```\n\n```text\ngreen\n```\n", tmp_path / "d")


def test_a_busy_machine_may_prove_nothing_where_the_installation_was_real() -> None:
    step = tutorial.Typed(commands=("pytest",), shows=("1 unchanged",))
    tutorial.compare(step, "1 unchanged", fresh=False)
    tutorial.compare(step, "1 inconclusive", fresh=True)
    for output, fresh in (("1 inconclusive", False), ("1 regressed", True)):
        with pytest.raises(AssertionError, match="no '1 unchanged'"):
            tutorial.compare(step, output, fresh=fresh)
