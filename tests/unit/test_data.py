"""Data folders: built once, whole or not at all, and never shared by two ways to build."""

from __future__ import annotations

import functools
import os
import stat
import threading
from pathlib import Path

import pytest

from pytest_loaderperf import data
from pytest_loaderperf.errors import SettingsError

WAIT = 10.0  # seconds: a test that waits so long has failed


def fill(path: Path) -> None:
    (path / "photo.jpg").write_bytes(b"jpeg")


def fill_differently(path: Path) -> None:
    (path / "photo.png").write_bytes(b"png")


def test_a_folder_is_built_once(tmp_path: Path) -> None:
    first, built = data.folder(tmp_path, "photos", fill)
    assert built
    assert (first / "photo.jpg").read_bytes() == b"jpeg"
    assert data.folder(tmp_path, "photos", fill) == (first, False)


def test_its_name_shows(tmp_path: Path) -> None:
    path, _ = data.folder(tmp_path, "photos", fill)
    assert path.parent == tmp_path
    assert path.name.startswith("photos-")


def test_build_gets_an_empty_folder_that_exists(tmp_path: Path) -> None:
    seen: list[list[Path]] = []
    data.folder(tmp_path, "photos", lambda path: seen.append(list(path.iterdir())))
    assert seen == [[]]


@pytest.mark.parametrize("other", [("texts", fill), ("photos", fill_differently)])
def test_another_name_or_another_way_to_build_is_another_folder(
    tmp_path: Path, other: tuple[str, data.Build]
) -> None:
    first, _ = data.folder(tmp_path, "photos", fill)
    second, built = data.folder(tmp_path, *other)
    assert built
    assert second != first


def _into(path: Path, name: str) -> None:
    (path / name).touch()


def test_ways_to_build_that_have_no_text_are_told_apart(tmp_path: Path) -> None:
    one, _ = data.folder(tmp_path, "photos", functools.partial(_into, name="a"))
    two, built = data.folder(tmp_path, "photos", functools.partial(fill))
    assert built
    assert one != two


def test_a_build_without_text_of_its_own_works(tmp_path: Path) -> None:
    path, built = data.folder(tmp_path, "photos", eval("lambda path: (path / 'a').touch()"))
    assert built
    assert (path / "a").exists()


def test_a_failed_build_leaves_nothing_and_is_tried_again(tmp_path: Path) -> None:
    working = False

    def build(path: Path) -> None:
        fill(path)
        if not working:
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        data.folder(tmp_path, "photos", build)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []
    working = True
    path, built = data.folder(tmp_path, "photos", build)
    assert built
    assert (path / "photo.jpg").exists()


def test_a_folder_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    target, _ = data.folder(tmp_path / "elsewhere", "photos", fill)

    def there() -> bool:
        return (tmp_path / "here" / target.name).exists()

    seen: list[bool] = []

    class Watched:
        """Writes as ``fill`` does, whose text it has, and looks around."""

        def __call__(self, path: Path) -> None:
            fill(path)
            seen.append(there())

    watched = Watched()
    functools.update_wrapper(watched, fill)
    path, _ = data.folder(tmp_path / "here", "photos", watched)
    assert path.name == target.name
    assert seen == [False]
    assert there()


def test_who_comes_second_waits_and_does_not_build(tmp_path: Path) -> None:
    building, second_built = threading.Event(), threading.Event()
    times: list[str] = []
    results: list[tuple[Path, bool]] = []

    def build(path: Path) -> None:
        times.append("built")
        if len(times) > 1:
            second_built.set()
        building.set()
        second_built.wait(0.2)  # long enough for a second one that does not wait
        fill(path)

    def run() -> None:
        results.append(data.folder(tmp_path, "photos", build))

    threads = [threading.Thread(target=run, daemon=True) for _ in range(2)]
    threads[0].start()
    assert building.wait(WAIT)
    threads[1].start()
    for thread in threads:
        thread.join(WAIT)
    assert times == ["built"]
    assert sorted(built for _, built in results) == [False, True]
    assert len({path for path, _ in results}) == 1


@pytest.mark.parametrize("name", ["photos", "photos_2-small.v1", "b" * 100, "-", "фото"])
def test_names_of_letters_digits_and_a_few_signs_work(tmp_path: Path, name: str) -> None:
    path, _ = data.folder(tmp_path, name, fill)
    assert path.is_dir()
    assert path.parent == tmp_path


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "../a", "/a", "a b", "a\n", "a\\b", "a\0", "C:a"]
)
def test_other_names_are_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        data.folder(tmp_path / "root", name, fill)
    assert f"loaderperf_data({name!r})" in str(caught.value)
    assert not (tmp_path / "root").exists()


def test_git_ignores_the_data_of_a_project(tmp_path: Path) -> None:
    root = data.root(tmp_path)
    assert root.is_relative_to(tmp_path)
    data.folder(root, "photos", fill)
    assert (root / ".gitignore").read_text() == "*\n"


@pytest.mark.skipif(os.name != "posix", reason="has no such modes")
def test_others_may_read_what_was_built(tmp_path: Path) -> None:
    path, _ = data.folder(tmp_path, "photos", fill)
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
