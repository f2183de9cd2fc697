"""A GitHub of a test's own: as much of its API as comments on pull requests need."""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BOT = "github-actions[bot]"
REPOSITORY = "owner/project"
TOKEN = "the-token-of-the-job"


@dataclass
class FakeGitHub:
    """What it knows, what it was asked, and with what it answers everything, if that is set."""

    url: str = ""
    pulls: list[dict[str, Any]] = field(default_factory=list)
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = b'{"message": "no"}'
    on: str = ""  # the method for which it has this status; all if empty

    def pull(self, number: int, commit: str, head: str = "fork/project", **changed: Any) -> None:
        """Open a pull request from a branch of some repository."""
        found = {
            "number": number,
            "state": "open",
            "head": {"sha": commit, "ref": "topic", "repo": {"full_name": head}},
            "base": {"repo": {"full_name": REPOSITORY}},
        }
        self.pulls.append({**found, **changed})
        self.comments[number] = []

    def say(self, number: int, body: str, login: str | None = BOT) -> None:
        """Comment as somebody; as an account that is deleted, if as nobody."""
        known = sum(map(len, self.comments.values()))
        user = login and {"login": login}
        self.comments[number].append({"id": 1000 + known, "body": body, "user": user})

    def respond(self, method: str, target: str, body: bytes) -> Any:
        """What it answers."""
        place, _, query = target.partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        _, _, *repository, kind, rest = place.split("/", 5)
        assert "/".join(repository) == REPOSITORY
        if (method, kind) == ("GET", "pulls"):
            owner, _, branch = asked["head"].partition(":")
            fitting = [
                each
                for each in self.pulls
                if each["state"] == asked["state"]
                and each["head"]["ref"] == branch
                and str((each["head"]["repo"] or {}).get("full_name")).startswith(f"{owner}/")
            ]
            return self._page(fitting, asked)
        if (method, kind) == ("GET", "issues"):
            return self._page(self.comments[int(rest.split("/")[0])], asked)
        text = json.loads(body)["body"]
        if method == "POST":
            self.say(int(rest.split("/")[0]), text)
            return {}
        assert method == "PATCH"
        every = [each for listed in self.comments.values() for each in listed]
        (found,) = (each for each in every if each["id"] == int(rest.split("/")[1]))
        found["body"] = text
        return found

    @staticmethod
    def _page(listed: list[Any], asked: dict[str, str]) -> list[Any]:
        size = int(asked["per_page"])
        start = (int(asked["page"]) - 1) * size
        return listed[start : start + size]


@contextlib.contextmanager
def serving() -> Iterator[FakeGitHub]:
    """A GitHub that listens on this machine alone."""
    github = FakeGitHub()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            github.asked.append(f"{self.command} {self.path.partition('?')[0]}")
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            assert self.headers["authorization"] == f"Bearer {TOKEN}"
            status, content = 200, b""
            if github.status and github.on in ("", self.command):
                status, content = github.status, github.answer
            else:
                # A path without a part more has none: respond splits it.
                target = self.path.replace("/pulls?", "/pulls/?")
                content = json.dumps(github.respond(self.command, target, body)).encode()
            self.send_response(status)
            for name, value in github.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    github.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield github
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
