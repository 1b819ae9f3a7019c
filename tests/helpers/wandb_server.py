"""A stand-in of W&B's server on this machine: what wandb 0.31 asks of it, kept to be looked at.

It answers over HTTP as the server does: GraphQL for accounts, runs and places to upload to, the
stream of a run's history and summary, and the uploads. Its answers hold what wandb's own process
(wandb-core, a program in Go) reads of them and nothing else. It draws nothing and checks no types.
"""

import base64
import json
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "0123456789abcdef" * 2 + "01234567"  # 40 characters, as W&B's keys have
ENTITY = "team"


@dataclass
class Run:
    """A run as the server knows it: what wandb sent when it opened the run, and since."""

    opened: dict[str, Any] = field(default_factory=dict)  # name, group, job type, tags, config
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    exit: int | None = None
    times_opened: int = 0


class Server:
    """`url` is for WANDB_BASE_URL. Requests with another key than KEY are refused."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.files: dict[str, bytes] = {}  # uploads by <run>/<name>
        self.asked: Counter[str] = Counter()  # names of GraphQL operations
        self.away = False  # while true, every connection is closed unanswered
        self._server = _Quiet(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.stand_in = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, name: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The `data` of a GraphQL operation."""
        self.asked[name] += 1
        known = getattr(self, f"_{re.sub('(?<!^)(?=[A-Z])', '_', name).lower()}", None)
        return known(variables) if known else {}

    def stream(self, run: str, sent: dict[str, Any]) -> None:
        """Keep lines of the history and the summary, and how the run ended."""
        files = sent.get("files") or {}
        known = self.runs[run]
        known.history += [json.loads(line) for line in _lines(files, "wandb-history.jsonl")]
        for line in _lines(files, "wandb-summary.json"):
            known.summary = json.loads(line)
        if sent.get("complete"):
            known.exit = sent.get("exitcode")

    def _viewer(self, _: dict[str, Any]) -> dict[str, Any]:
        who = {"id": "1", "entity": ENTITY, "username": ENTITY, "email": "", "flags": "{}"}
        return {"viewer": who | {"teams": {"edges": []}}}

    def _run_resume_status(self, variables: dict[str, Any]) -> dict[str, Any]:
        bucket = None
        if run := self.runs.get(variables["name"]):
            bucket = _bucket(variables["name"], run) | {
                "summaryMetrics": json.dumps(run.summary),
                "historyTail": json.dumps([json.dumps(row) for row in run.history[-1:]]),
                "eventsTail": "[]",
                "logLineCount": 0,
                "eventsLineCount": 0,
                "tags": run.opened.get("tags"),
                "notes": None,
                "wandbConfig": '{"t": 1}',  # the server's sign that the run was begun
            }
        model = {"id": "2", "name": variables["project"], "entity": {"id": "1", "name": ENTITY}}
        return {"model": model | {"bucket": bucket}}

    def _upsert_bucket(self, variables: dict[str, Any]) -> dict[str, Any]:
        new = variables["name"] not in self.runs
        run = self.runs.setdefault(variables["name"], Run())
        run.opened |= {key: value for key, value in variables.items() if value is not None}
        run.times_opened += variables["displayName"] is not None
        return {"upsertBucket": {"bucket": _bucket(variables["name"], run), "inserted": new}}

    def _create_run_files(self, variables: dict[str, Any]) -> dict[str, Any]:
        run = variables["run"]
        places = [
            {"name": name, "uploadUrl": f"{self.url}/storage/{run}/{name}"}
            for name in variables["files"]
        ]
        return {"createRunFiles": {"runID": run, "uploadHeaders": [], "files": places}}

    def _artifact_type(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"project": None}

    def _create_artifact(self, _: dict[str, Any]) -> dict[str, Any]:
        """Tables are also artifacts; one that is said to be there is not sent."""
        artifact = {"id": "A", "state": "COMMITTED", "artifactSequence": {"latestArtifact": None}}
        return {"createArtifact": {"artifact": artifact}}


def _bucket(name: str, run: Run) -> dict[str, Any]:
    project = run.opened.get("project")
    return {
        "id": name,
        "name": name,
        "displayName": run.opened.get("displayName"),
        "description": None,
        "config": run.opened.get("config", "{}"),
        "sweepName": None,
        "project": {"id": "2", "name": project, "entity": {"id": "1", "name": ENTITY}},
        "historyLineCount": len(run.history),
    }


def _lines(files: dict[str, Any], name: str) -> list[str]:
    return files[name]["content"] if name in files else []


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Nothing: wandb's process leaves its connections open, and resets them at its end."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def _stand_in(self) -> Server:
        return self.server.stand_in  # type: ignore[attr-defined,no-any-return]

    def do_PUT(self) -> None:
        body = self._body()
        self._stand_in.files[self.path.removeprefix("/storage/")] = body
        self._send({})

    def do_POST(self) -> None:
        body = self._body()
        if self._stand_in.away:
            self.close_connection = True
        elif self.path == "/graphql":
            self._graphql(json.loads(body))
        else:
            if self.path.endswith("/file_stream"):
                self._stand_in.stream(self.path.split("/")[-2], json.loads(body))
            self._send({"exitcode": None, "limits": {}})

    def _graphql(self, request: dict[str, Any]) -> None:
        basic = base64.b64encode(f"api:{KEY}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {basic}":
            self._send({"errors": [{"message": "invalid API key"}]}, status=401)
            return
        name = re.search(r"(?:query|mutation)\s+(\w+)", request["query"])
        operation = name.group(1) if name else ""
        self._send({"data": self._stand_in.answer(operation, request.get("variables") or {})})

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, content: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: the tests look at what the server keeps."""
