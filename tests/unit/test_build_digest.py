"""By what ways to build data are told apart, and that these are the same in every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Modules with a build; where one has the number 1000, 2000 in its place makes other data. Other
# files follow a line that names them.
BUILDS = {
    "lru_cache helper": """\
import functools
@functools.lru_cache
def rows(): return 1000
def build(path): return rows()
""",
    "cache helper calling other": """\
import functools
def n(): return 1000
@functools.cache
def rows(): return n()
def build(path): return rows()
""",
    "wraps (own)": """\
import functools
def deco(f):
  @functools.wraps(f)
  def w(*a): return f(*a)
  return w
@deco
def rows(): return 1000
def build(path): return rows()
""",
    "contextmanager helper": """\
import contextlib
@contextlib.contextmanager
def rows(): yield 1000
def build(path):
  with rows() as n: return n
""",
    "singledispatch": """\
import functools
@functools.singledispatch
def rows(a): return 1000
def build(path): return rows(1)
""",
    "partial global": """\
import functools
def h(n): return n
rows=functools.partial(h, 1000)
def build(path): return rows()
""",
    "bound method global": """\
class A:
  def f(self): return 1000
rows=A().f
def build(path): return rows()
""",
    "dataclass instance global": """\
from dataclasses import dataclass
@dataclass(frozen=True)
class C:
  rows: int
CFG=C(rows=1000)
def build(path): return CFG.rows
""",
    "SimpleNamespace": """\
from types import SimpleNamespace
CFG=SimpleNamespace(rows=1000)
def build(path): return CFG.rows
""",
    "instance method of global": """\
class C:
  def rows(self): return 1000
CFG=C()
def build(path): return CFG.rows()
""",
    "namedtuple": """\
from typing import NamedTuple
class C(NamedTuple):
  rows: int
CFG=C(rows=1000)
def build(path): return CFG.rows
""",
    "numpy global": """\
import numpy as np
T=np.arange(1000)
def build(path): return T
""",
    "numpy scalar": """\
import numpy as np
T=np.int64(1000)
def build(path): return T
""",
    "numpy in dict": """\
import numpy as np
T={'a':np.arange(1000)}
def build(path): return T
""",
    "object array in dict": """\
import numpy as np
T={'a':np.array(['x'*3,None,object],dtype=object)}
def build(path): return T
""",
    "datetime": """\
import datetime
T=datetime.date(1000,1,2)
def build(path): return T
""",
    "staticmethod helper": """\
def h(): return 1000
class C:
  @staticmethod
  def f(): return h()
def build(path): return C.f()
""",
    "classmethod helper": """\
def h(): return 1000
class C:
  @classmethod
  def f(cls): return h()
def build(path): return C.f()
""",
    "property helper": """\
def h(): return 1000
class C:
  @property
  def f(self): return h()
def build(path): return C().f
""",
    "class attribute of constant": """\
N=1000
class C:
  rows=N
def build(path): return C.rows
""",
    "class attr set later": """\
class C: pass
C.rows=1000
def build(path): return C.rows
""",
    "class decorated helper": """\
import functools
class C:
  @functools.lru_cache
  def f(self): return h()
def h(): return 1000
def build(path): return C().f()
""",
    "nested pkg.mod.fn": """\
import pkg.mod
def build(path): return pkg.mod.fn()
# file pkg/__init__.py
# file pkg/mod.py
def fn(): return 1000
""",
    "nested pkg.mod.CONST": """\
import pkg.mod
def build(path): return pkg.mod.N
# file pkg/__init__.py
# file pkg/mod.py
N=1000
""",
    "namespace pkg.mod.fn": """\
import pkg.mod
def build(path): return pkg.mod.fn()
# file pkg/mod.py
def fn(): return 1000
""",
    "import as": """\
import pkg.mod as q
def build(path): return q.fn()
# file pkg/__init__.py
# file pkg/mod.py
def fn(): return 1000
""",
    "from as": """\
from pkg.mod import fn as z
def build(path): return z()
# file pkg/__init__.py
# file pkg/mod.py
def fn(): return 1000
""",
    "lambda global": """\
f=lambda: 1000
def build(path): return f()
""",
    "lambda build": """\
N=1000
build=lambda p: N
""",
    "inherited method": """\
class A:
  def f(self): return h()
class B(A): pass
def h(): return 1000
def build(path): return B().f()
""",
    "callable object build": """\
def h(): return 1000
class B:
  def __call__(self, p): return h()
build=B()
""",
    "slots dataclass build": """\
from dataclasses import dataclass
def h(): return 1000
@dataclass(slots=True)
class B:
  n:int=3
  def __call__(self, p): return h()
build=B()
""",
    "slots dataclass default const": """\
from dataclasses import dataclass
N=1000
@dataclass(slots=True)
class B:
  n:int=N
def build(p): return B()
""",
    "default args": """\
def h(n=1000): return n
def build(path): return h()
""",
    "generator helper": """\
def h():
  yield 1000
def build(path): return list(h())
""",
    "set of functions": """\
def h(): return 1
def f(): return h()
def g(): return h()
S={f,g}
def build(path): return S
""",
    "set of classes": """\
def h(): return 1
class A:
  def f(self): return h()
class B:
  def f(self): return h()
class D:
  def f(self): return h()
S={A,B,D}
def build(path): return S
""",
    "path in string": """\
import os
U='file://'+os.path.dirname(__file__)
def build(path): return U
""",
    "__file__": """\
import os
from pathlib import Path
R=Path(__file__).parent/'x'
def build(path): return R
""",
    "build uses __file__ in call": """\
import os
def build(path): return open(__file__)
""",
    "getattr string": """\
def rows(): return 1000
HANDLERS={'a':rows}
def build(path): return HANDLERS['a']()
""",
    "class in class": """\
class A:
  class B:
    N=1000
def build(path): return A.B.N
""",
    "class in class helper": """\
def h(): return 1000
class A:
  class B:
    def f(self): return h()
def build(path): return A.B().f()
""",
    "star import": """\
from o import *
def build(p): return rows()
# file o.py
def rows(): return 1000
""",
    "proxy in list": """\
class P:
  @property
  def __class__(self): raise RuntimeError('no')
L=[P()]
def build(p): return L
""",
    "self-ref containers": """\
L=[]
L.append(L)
D={}
D['a']=D
D['l']=L
def build(p): return L,D
""",
    "function of a global partial": """\
import functools
def h(n): return n+1000
rows=functools.partial(h, 1)
def build(path): return rows()
""",
    "dtype of numpy": """\
import numpy as np
T=np.dtype((float, 1000))
def build(path): return T
""",
    "regular expression": """\
import re
T=re.compile('1000')
def build(path): return T
""",
    "texts in a set in a dict": """\
S={'a','b','1000'}
D={1:S}
def build(path): return D
""",
    "functions and classes that name one another": """\
class A:
  def f(self): return g(B)
class B(A):
  def f(self): return g(A)
def g(x): return A, B, build, 1000
def build(p): return g(A)
""",
    "numbers in a list": """\
T=[1, 1000, True]
def build(path): return T
""",
}
FILE = "# file "
SCRIPT = """\
import importlib, json, os, sys
from pathlib import Path
from pytest_loaderperf.build_digest import digest

def places(module):
    return [getattr(module, "__file__", None), *getattr(module, "__path__", ())]

found = {}
for folder in sorted(Path(sys.argv[1]).iterdir()):
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    found[folder.name] = digest(importlib.import_module("m").build, folder)
    sys.path.remove(str(folder))
    importlib.invalidate_caches()
    for name in {*sys.modules} - before:
        if any(str(folder) in str(place) for place in places(sys.modules[name])):
            del sys.modules[name]
print(json.dumps(found))
"""


def digests(root: Path, number: str, seed: str) -> dict[str, str]:
    """Of all builds, as a process of its own tells them."""
    for name, text in BUILDS.items():
        folder = root / name.replace("/", " ")
        (folder / ".git").mkdir(parents=True)
        for part in f"m.py\n{text}".split(FILE):
            file, _, content = part.partition("\n")
            place = folder / file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content.replace("1000", number))
    told = subprocess.run(
        [sys.executable, "-B", "-c", SCRIPT, str(root)],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    found: dict[str, str] = json.loads(told.stdout)
    return found


Digests = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Digests:
    """Of the same files in two places, and of others, by processes that hash texts otherwise."""
    root = tmp_path_factory.mktemp("builds")
    return {
        "once": digests(root / "once", "1000", "1"),
        "again": digests(root / "elsewhere" / "again", "1000", "2"),
        "edited": digests(root / "edited", "2000", "3"),
    }


@pytest.mark.parametrize("name", BUILDS)
def test_a_digest_is_the_same_in_every_process_and_place(told: Digests, name: str) -> None:
    assert told["once"][name] == told["again"][name]


@pytest.mark.parametrize("name", [name for name, text in BUILDS.items() if "1000" in text])
def test_what_a_build_uses_makes_another_digest(told: Digests, name: str) -> None:
    assert told["once"][name] != told["edited"][name]
