"""Discovery: what the text of a test file says about loader checks, right or not at all.

A file of which it names the checks is not imported in a plain run: a test that it missed there
would be lost without a trace. So where in doubt the answer is that it does not know.
"""

from __future__ import annotations

import ast
import warnings
from pathlib import Path
from textwrap import dedent, indent

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_loaderperf.session.discovery import Mention, conftest_mentions, parse, read

some_examples = settings(deadline=None, max_examples=50)
CHECK = "def test_check(loaderperf): pass\n"


def said(source: str) -> Mention:
    return parse(dedent(source).encode())


# --- what is a mention --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "@pytest.mark.loaderperf\ndef test_a(loader): pass",
        "@pytest.mark.loaderperf(batch_sizes=[8])\ndef test_a(loader): pass",
        "@mark.loaderperf()\nclass TestA:\n    def test_a(self): pass",
        "pytestmark = pytest.mark.loaderperf",
        "pytestmark = [pytest.mark.slow, pytest.mark.loaderperf(budget='9s')]",
        "check = pytest.mark.loaderperf(throughput='5%')",
        "def test_a(loaderperf): pass",
        "async def test_a(*, loaderperf): pass",
        "def perf(loaderperf): return loaderperf",
        "def test_a(request): request.getfixturevalue('loaderperf')",
        "@pytest.mark.usefixtures('loaderperf')\ndef test_a(): pass",
        "if True:\n    class Deep:\n        def method(self, loaderperf): pass",
    ],
)
def test_marker_fixture_and_its_name_are_mentions(source: str) -> None:
    assert said(source).mentions


@pytest.mark.parametrize(
    "source",
    [
        "",
        "def test_a(loader): pass",
        '"""How loaderperf works."""\ndef test_a(loader): pass',
        "def test_a(loader):\n    '''Not yet a loaderperf check.'''",
        "# @pytest.mark.loaderperf\ndef test_a(loader): pass",
        "def test_a(loaderperf_data): pass",
        "import pytest_loaderperf",
        "from pytest_loaderperf import LoaderPerf",
        "COMMAND = ['pytest', '--loaderperf']",
        "pytest_plugins = ['loaderperf.plugin']",
    ],
)
def test_other_words_are_none(source: str) -> None:
    assert said(source) == Mention(mentions=False)


# --- files that hold nothing but checks ---------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "checks"),
    [
        ("def test_a(loaderperf): pass\ndef test_b(x, *, loaderperf): pass", ("test_a", "test_b")),
        ("@pytest.mark.loaderperf(batch_sizes=[8])\ndef test_a(loader): pass", ("test_a",)),
        ("@pytest.mark.usefixtures('loaderperf')\ndef test_a(loader): pass", ("test_a",)),
        ("async def test_a(loaderperf): pass", ("test_a",)),
        ("pytestmark = pytest.mark.loaderperf\ndef test_a(): pass\ndef test_b(): pass",
         ("test_a", "test_b")),
        ("pytestmark = [pytest.mark.slow, pytest.mark.loaderperf()]\ndef test_a(): pass",
         ("test_a",)),
        ("class TestA:\n    def test_a(self, loaderperf): pass\n    def helper(self): pass",
         ("TestA::test_a",)),
        ("@pytest.mark.loaderperf\nclass TestA:\n    def test_a(self): pass", ("TestA::test_a",)),
        ("@pytest.mark.loaderperf\nclass TestA:\n    class TestB:\n        def test_a(self): pass",
         ("TestA::TestB::test_a",)),
        ("pytestmark = pytest.mark.loaderperf\nclass TestA:\n    def test_a(self): pass",
         ("TestA::test_a",)),
        ("import torch\nSIZE = 3\ndef helper(): pass\n@pytest.fixture\ndef loader(): pass\n"
         "class Photos(Dataset):\n    def __getitem__(self, i): pass\n" + CHECK, ("test_check",)),
        ("if TYPE_CHECKING:\n    from a import B\ntry:\n    import c\nexcept ImportError:\n"
         "    c = None\n" + CHECK, ("test_check",)),
    ],
)  # fmt: skip
def test_checks_are_named_in_order(source: str, checks: tuple[str, ...]) -> None:
    assert said(source).checks == checks


OTHER_TESTS = {
    "a function": "def test_b(loader): pass",
    "a coroutine": "async def test_b(loader): pass",
    "a method": "class TestB:\n    def test_b(self): pass",
    "a mixed class": "class TestB:\n    def test_b(self, loaderperf): pass\n"
    "    def test_c(self): pass",
    "a class with bases": "class TestB(Base):\n    def test_b(self, loaderperf): pass",
    "a class with a metaclass": "class TestB(metaclass=M):\n    def test_b(self, loaderperf): pass",
    "a class that inherits all": "class TestB(Base): pass",
    "a class with a conditional test": "class TestB:\n    def test_b(self, loaderperf): pass\n"
    "    if GPU:\n        def test_c(self): pass",
    "a unittest case": "class PhotosCase(unittest.TestCase):\n    def test_b(self): pass",
    "a conditional test": "if GPU:\n    def test_b(loader): pass",
    "an alternative": "if GPU:\n    pass\nelse:\n    def test_b(loader): pass",
    "a conditional class": "if GPU:\n    class TestB:\n        def test_b(self): pass",
    "a test in try": "try:\n    import a\nexcept ImportError:\n    def test_b(): pass",
    "a test in with": "with a:\n    def test_b(loader): pass",
    "a test in a loop": "for a in b:\n    def test_b(loader): pass",
    "a test in an endless loop": "while True:\n    def test_b(loader): pass\n    break",
    "a test in a match": "match a:\n    case 1:\n        def test_b(loader): pass",
    "a star import": "from common import *",
    "a conditional star import": "if GPU:\n    from common import *",
    "an imported test": "from common import test_b",
    "an imported test by another name": "from common import check as test_b",
    "an imported class": "from common import TestB",
    "an assigned test": "test_b = make_test(8)",
    "an assigned class": "TestB = make_class(8)",
    "its name as a parameter": "@pytest.mark.parametrize('plugin', ['loaderperf', 'xdist'])\n"
    "def test_b(plugin): pass",
    "its name in a condition": "@pytest.mark.skipif(not has('loaderperf'), reason='')\n"
    "def test_b(): pass",
    "its name as an argument with a default": "def test_b(loaderperf=None): pass",
    "a fixture by name inside": "def test_b(request): request.getfixturevalue('loaderperf')",
}


@pytest.mark.parametrize("other", OTHER_TESTS.values(), ids=OTHER_TESTS)
@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_a_file_with_more_than_checks_is_left_to_pytest(other: str, first: bool) -> None:
    source = f"{other}\n{CHECK}" if first else f"{CHECK}{other}\n"
    assert said(source) == Mention(mentions=True)


def test_a_file_without_tests_of_its_own_is_left_to_pytest() -> None:
    assert said("def perf(loaderperf): pass") == Mention(mentions=True)


WRITTEN = """\
import pytest
pytestmark = [pytest.mark.slow, pytest.mark.needs(SOME)]

class TestA:
    pytestmark = pytest.mark.inside

    @pytest.mark.loaderperf(budget="9s")
    @pytest.mark.issue(7, by="us")
    @pytest.mark.parametrize("n", [1, 2])
    @other.decorator
    def test_a(self, n): pass

@pytest.mark.loaderperf(batch_sizes=[8])
def test_b(batch_size): pass
"""


def test_lines_and_marks_are_those_of_the_text() -> None:
    written = said(WRITTEN).written
    assert written is not None
    one, two = written
    assert (one.names, one.line) == (("TestA", "test_a"), 6)  # of the first decorator
    marks = [(mark.name, mark.args, dict(mark.kwargs)) for mark in one.marks]
    assert marks == [
        ("issue", (7,), {"by": "us"}),
        ("loaderperf", (), {"budget": "9s"}),
        ("inside", (), {}),
        ("slow", (), {}),
    ]
    assert one.parametrized
    assert (two.names, two.line, two.parametrized) == (("test_b",), 12, True)
    assert [mark.name for mark in two.marks] == ["loaderperf", "slow"]


def test_test_without_parameters_shows_none() -> None:
    written = said("@pytest.mark.loaderperf\ndef test_a(n): pass").written
    assert written is not None
    assert not written[0].parametrized


# --- any source ---------------------------------------------------------------------------------

names = st.sampled_from(["test_a", "TestA", "TESTB", "helper", "loaderperf", "pytestmark", "tést"])
expressions = st.sampled_from(
    ["1", "'loaderperf'", "b'loaderperf'", "pytest.mark.loaderperf", "f(loaderperf=1)",
     "[pytest.mark.loaderperf()]", "lambda loaderperf: 0", "f'{loaderperf}'", "x.y[0]", "...",
     "pytest.mark.usefixtures('loaderperf')", "(yield)", "{**a}", "a if b else c"]
)  # fmt: skip
headers = st.one_of(
    st.builds("def {}({}):".format, names, st.sampled_from(["", "loaderperf", "a, /, b", "*a"])),
    st.builds("async def {}(*, loaderperf=1, **k):".format, names),
    st.builds("class {}{}:".format, names, st.sampled_from(["", "(A)", "(metaclass=B)", "(*a)"])),
    st.builds("if {}:".format, expressions),
    st.builds("while {}:".format, expressions),
    st.just("with a as b, c:"),
    st.just("for a in b:"),
)
simple = st.one_of(
    expressions,
    st.builds("{} = {}".format, names, expressions),
    st.builds("{}: {} = {}".format, names, expressions, expressions),
    st.builds("from {} import {}".format, names, st.sampled_from(["*", "test_a", "TestA as b"])),
    st.builds("import {}".format, names),
    st.just("pass"),
)
statements = st.recursive(
    simple,
    lambda inner: st.builds(
        lambda decorator, header, body: f"{decorator}{header}\n{indent(body, '    ')}",
        st.just("") | expressions.map("@{}\n".format),
        headers,
        st.lists(inner, min_size=1, max_size=3).map("\n".join),
    ),
    max_leaves=12,
)
sources = st.lists(statements, max_size=6).map("\n".join)


@given(sources | st.text())
@some_examples
def test_any_source_has_an_answer_if_it_parses(source: str) -> None:
    try:
        ast.parse(source.encode())
    except (SyntaxError, ValueError) as error:
        with pytest.raises(type(error)):
            parse(source.encode())
        return
    mention = parse(source.encode())
    assert mention.mentions or mention.checks is None
    assert all(name.split("::")[-1].startswith("test") for name in mention.checks or ())


@given(sources)
@some_examples
def test_an_ordinary_test_makes_the_answer_unsure(source: str) -> None:
    try:
        mention = parse(f"{source}\ndef test_of_another_kind(): pass\n".encode())
    except (SyntaxError, ValueError):
        assume(False)
    if "pytestmark" not in source:  # it may make every test a check
        assert mention.checks is None


# --- files --------------------------------------------------------------------------------------


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_file_is_read_as_its_text_says(tmp_path: Path) -> None:
    path = write(tmp_path / "test_a.py", CHECK.encode())
    assert read(path) == parse(CHECK.encode())
    assert read(path).checks == ("test_check",)


@pytest.mark.parametrize(
    "content",
    [
        "# coding: latin-1\nNAME = 'é'\n".encode("latin-1") + CHECK.encode(),
        b"\xef\xbb\xbf" + CHECK.encode(),
        CHECK.replace("\n", "\r\n").encode(),
    ],
    ids=["latin-1", "byte order mark", "CRLF"],
)
def test_a_file_may_be_encoded_as_python_allows(tmp_path: Path, content: bytes) -> None:
    assert read(write(tmp_path / "test_a.py", content)).checks == ("test_check",)


UNPARSABLE = {
    "syntax": b"def test_a(loaderperf:\n",
    "encoding": b"NAME = '\xe9'\n" + CHECK.encode(),
    "codec": b"# coding: nonsense\n" + CHECK.encode(),
    "null": b"\0\n" + CHECK.encode(),
}


@pytest.mark.parametrize("content", UNPARSABLE.values(), ids=UNPARSABLE)
def test_a_broken_file_with_the_name_is_left_to_pytest_to_complain(
    tmp_path: Path, content: bytes
) -> None:
    # A guard that skipped it would pass while its checks do not run.
    mention = read(write(tmp_path / "test_a.py", content))
    assert mention == Mention(mentions=True)


@pytest.mark.parametrize("content", [b"-" * 100_000 + b"1", b"a" + b".b" * 100_000])
def test_a_file_that_is_too_deep_to_parse_may_hold_checks(tmp_path: Path, content: bytes) -> None:
    # How deep that is, and which error it gives, differs between versions of Python.
    assert read(write(tmp_path / "test_a.py", content + b"\n" + CHECK.encode())).mentions


@pytest.mark.parametrize("content", [b"def test_a(:\n", b"\0", b"\xff\xfe", b""])
def test_a_broken_file_without_the_name_holds_no_checks(tmp_path: Path, content: bytes) -> None:
    assert read(write(tmp_path / "test_a.py", content)) == Mention(mentions=False)


def test_a_file_that_is_not_there_holds_no_checks(tmp_path: Path) -> None:
    assert read(tmp_path / "test_a.py") == Mention(mentions=False)
    assert read(tmp_path) == Mention(mentions=False)


def test_warnings_about_a_file_do_not_hide_its_checks(tmp_path: Path) -> None:
    path = write(tmp_path / "test_a.py", b"PATTERN = '\\d'\nX = 1 is 1\n" + CHECK.encode())
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # as a project may have it
        assert read(path).checks == ("test_check",)


# --- conftest files -----------------------------------------------------------------------------


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "project" / "tests" / "perf"
    folder.mkdir(parents=True)
    return write(folder / "test_a.py", b"def test_a(perf): pass\n")


WRAPPER = b"import pytest\n@pytest.fixture\ndef perf(loaderperf): return loaderperf\n"


@pytest.mark.parametrize("place", ["project", "project/tests", "project/tests/perf"])
def test_a_conftest_up_to_the_root_may_wrap_the_fixture(
    tmp_path: Path, module: Path, place: str
) -> None:
    assert not conftest_mentions(module, tmp_path / "project")
    write(tmp_path / place / "conftest.py", WRAPPER)
    assert conftest_mentions(module, tmp_path / "project")


@pytest.mark.parametrize("place", [".", "project/other"])
def test_a_conftest_elsewhere_does_not_serve_the_file(
    tmp_path: Path, module: Path, place: str
) -> None:
    (tmp_path / place).mkdir(exist_ok=True)
    write(tmp_path / place / "conftest.py", WRAPPER)
    assert not conftest_mentions(module, tmp_path / "project")
