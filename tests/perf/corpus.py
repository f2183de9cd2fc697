"""Real photographs and sentences, made from files that any development environment has."""

from __future__ import annotations

import ast
import random
import re
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

SENTENCES = 40_960  # whole batches of 128; a fresh environment holds about 56,000

# In the order in which they are read: the later ones only make up for what the earlier ones lack.
TEXTS = ("numpy", "scipy", "sklearn", "tensorflow", "keras", "torch")

SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
# No markup, code or numbers; the lookahead refuses headings, which docstrings underline.
SENTENCE = re.compile(r"(?!.*--)[A-Z][A-Za-z ,;'\"()-]+[.!?]")


@dataclass(frozen=True)
class Photos:
    """Image files and, for each of them, the number of its class."""

    paths: list[str]
    labels: list[int]


def cut_photos(folder: Path, count: int = 4_096) -> None:
    """Fill `folder` with JPEGs of 500x375, cut from the two photographs of scikit-learn."""
    # The default is part of this text, and so of the folder's name: another one, another folder.
    from PIL import Image, ImageEnhance, ImageOps

    draw = random.Random(0)
    images = package_folder("sklearn") / "datasets" / "images"
    for name in ("china", "flower"):
        (folder / name).mkdir()
        with Image.open(images / f"{name}.jpg") as source:
            for number in range(count // 2):
                width = source.width * draw.uniform(0.4, 0.85)
                height = width * 3 / 4
                left = draw.uniform(0, source.width - width)
                top = draw.uniform(0, source.height - height)
                photo = source.resize((500, 375), box=(left, top, left + width, top + height))
                if draw.random() < 0.5:
                    photo = ImageOps.mirror(photo)
                photo = ImageEnhance.Brightness(photo).enhance(draw.uniform(0.9, 1.1))
                photo.save(folder / name / f"{number:04}.jpg", quality=draw.randint(85, 90))


def read_photos(folder: Path) -> Photos:
    """List what `cut_photos` made; a photograph's class is the folder that it lies in."""
    # By number first: the classes differ in file size, and without a shuffle an epoch in order of
    # class would be slow in one half and fast in the other.
    paths = sorted(folder.glob("*/*.jpg"), key=lambda path: (path.name, path.parent.name))
    classes = sorted({path.parent.name for path in paths})
    return Photos([str(path) for path in paths], [classes.index(p.parent.name) for p in paths])


def collect_sentences(folder: Path) -> None:
    """Write `SENTENCES` distinct sentences, in an order drawn once, to a file in `folder`."""
    found: dict[str, None] = {}  # a set that keeps the order of reading, the same in each run
    for sentence in all_sentences():
        found[sentence] = None
        if len(found) == SENTENCES:
            break
    else:
        raise RuntimeError(
            f"found {len(found)} sentences, {SENTENCES} are needed: install the extra `dev`"
        )
    sentences = list(found)
    random.Random(0).shuffle(sentences)
    (folder / "sentences.txt").write_text("\n".join(sentences) + "\n", encoding="utf-8")


def read_sentences(folder: Path) -> list[str]:
    """Read what `collect_sentences` wrote."""
    return (folder / "sentences.txt").read_text(encoding="utf-8").splitlines()


def all_sentences() -> Iterator[str]:
    """Yield the sentences in the strings, mostly docstrings, of Python and some packages."""
    yield from sentences_below(Path(sysconfig.get_path("stdlib")))
    for name in TEXTS:
        if find_spec(name) is not None:
            yield from sentences_below(package_folder(name))


def sentences_below(folder: Path) -> Iterator[str]:
    """Yield the sentences in the strings of the sources under `folder`, its tests excluded."""
    excluded = {"test", "tests", "site-packages", "dist-packages"}
    for path in sorted(folder.rglob("*.py")):
        if excluded.isdisjoint(path.relative_to(folder).parts):
            for text in strings_of(path):
                for paragraph in text.split("\n\n"):
                    for sentence in SENTENCE_END.split(" ".join(paragraph.split())):
                        if 5 <= len(sentence.split()) <= 60 and SENTENCE.fullmatch(sentence):
                            yield sentence


def strings_of(path: Path) -> Iterator[str]:
    """Yield the string literals of a source file; it is parsed, never imported."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in somebody else's source
            tree = ast.parse(path.read_bytes())
    except SyntaxError:  # written for a newer Python, as some of torch's are
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def package_folder(name: str) -> Path:
    """Find an installed package without importing it: most of these take seconds."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{name} is needed to make the photographs and sentences")
    return Path(spec.origin).parent
