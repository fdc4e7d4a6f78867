"""A client of Label Studio's HTTP interface, for servers that are slow, restart, or lose an answer.

Plain HTTP from the standard library does it: the SDK knows neither retries nor how to ask for tasks after a given one,
and brings 30 packages. Proxies and `.netrc` are not looked at.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from annotation.tokens import HIDDEN, Token
from schemas.errors import CallError, DataError

PAGE = 1000
"""Tasks asked for at once: about 1.5 s of the server's work."""
EXPORTED = 200
"""Tasks exported by their ids at once: what fits into a request line of 8 kB, which servers in between allow."""
BUSY = frozenset({500, 502, 503, 504})
SECONDS_TO_ANSWER = 60.0
PATIENCE = 180.0
"""Seconds for which a server that fails is asked again: longer than a restart takes (5 s warm, 45 s cold)."""
PATIENCE_AT_FIRST = 20.0
"""Seconds for which a server is asked that has not answered yet: an address may be mistyped."""
WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
LONGEST_WAIT = 60.0


class AnswerLostError(Exception):
    """What was sent may or may not have been taken: look at what is there before sending it again."""


class ServerPrediction(msgspec.Struct, frozen=True):
    """A prediction that the server holds."""

    id: int
    model_version: str
    result: list[dict[str, Any]]


class ServerTask(msgspec.Struct, frozen=True):
    """A task that the server holds. `touched` is how many annotations it has, skips among them."""

    id: int
    data: dict[str, Any]
    predictions: list[ServerPrediction]
    touched: int

    @property
    def key(self) -> str | None:
        """Give the key that our tasks carry."""
        key = self.data.get("task_key")
        return key if isinstance(key, str) else None


class LabelStudio:
    """One server, asked as one user. Requests that change nothing by being repeated are repeated until `patience` ends.

    `told` is called with a line when something has to be waited for. Raises CallError where the server cannot be
    reached or refuses the user, DataError where it refuses what it is sent; neither ever holds the token.
    """

    def __init__(
        self,
        url: str,
        token: Token,
        *,
        told: Callable[[str], None] = lambda _: None,
        answer_within: float = SECONDS_TO_ANSWER,
        patience: float = PATIENCE,
    ) -> None:
        """Take a server's address; nothing is asked yet. Raises CallError where it is no http address."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in {"http", "https"} or not parts.hostname or port == -1 or parts.query or parts.fragment:
            raise CallError(f"{token.hidden_in(url)!r} is no address of a server, such as http://127.0.0.1:8080")
        if parts.username or parts.password:
            raise CallError("the address of a server holds no name and no password")
        self.url = url.rstrip("/")
        self._base = parts.path.rstrip("/")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, port, timeout=answer_within)
        self._token = token
        self._access: str | None = None
        self.tell = told
        self._patience = patience
        self._answered = False

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> LabelStudio:
        """Give the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()

    # What the server holds.

    def projects(self) -> Iterator[dict[str, Any]]:
        """Yield id, title, description and number of tasks of every project that the user sees."""
        page = 1
        while True:
            fields = {"page": page, "page_size": 100, "include": "id,title,description,task_number", "ordering": "id"}
            found = self._read("GET", "/api/projects/", fields)
            yield from found["results"]
            if not found["next"]:
                return
            page += 1

    def project(self, project: int) -> dict[str, Any]:
        """Give a project with all its settings. Raises CallError where the server has none of this id."""
        found: dict[str, Any] = self._read("GET", f"/api/projects/{project}/")
        return found

    def tasks(self, project: int, after: int = 0) -> Iterator[ServerTask]:
        """Yield the tasks of a project by their ids, from the first one above `after`.

        Each page is asked for by the last id before it, so tasks that others add or delete meanwhile shift nothing.
        """
        while True:
            above = {"filter": "filter:tasks:id", "operator": "greater", "type": "Number", "value": after}
            asked = {"filters": {"conjunction": "and", "items": [above]}, "ordering": ["tasks:id"]}
            fields = {
                "project": project,
                "page_size": PAGE,
                "fields": "all",
                "include": "id,data,predictions,total_annotations,cancelled_annotations",
                "resolve_uri": "false",
                "query": json.dumps(asked),
            }
            rows = self._read("GET", "/api/tasks/", fields)["tasks"]
            yield from map(_task, rows)
            if len(rows) < PAGE:
                return
            after = rows[-1]["id"]

    def export(self, project: int, tasks: Sequence[int] = ()) -> Iterator[dict[str, Any]]:
        """Yield tasks with all their annotations, predictions and the drafts of everyone: all, or those of the ids."""
        ids = list(tasks) or [task["id"] for task in self._ids(project)]
        for start in range(0, len(ids), EXPORTED):
            fields = [("exportType", "JSON"), ("download_all_tasks", "true")]
            fields += [("ids[]", str(each)) for each in ids[start : start + EXPORTED]]
            yield from self._read("GET", f"/api/projects/{project}/export", fields)

    def users(self) -> list[dict[str, Any]]:
        """Give id, name and e-mail address of every user of the server."""
        found: list[dict[str, Any]] = self._read("GET", "/api/users/")
        return found

    def storages(self, project: int) -> list[dict[str, Any]]:
        """Give the folders on the server's disk that a project may read media from."""
        found: list[dict[str, Any]] = self._read("GET", "/api/storages/localfiles/", {"project": project})
        return found

    def document_root(self, project: int) -> str | None:
        """Ask for the folder that local media lie below; None where the server does not tell.

        It is told nowhere but in the refusal of a storage that lies outside of it.
        """
        asked = {"project": project, "path": "/"}
        status, text = self._exchange("POST", "/api/storages/localfiles/validate", asked, again=True)
        marked = text.partition("LOCAL_FILES_DOCUMENT_ROOT=")[2] if status == 400 else ""
        return marked.replace('\\"', '"').split('"')[1] if marked.count('"') > 1 else None

    # What changes it.

    def create_project(self, fields: dict[str, Any]) -> int:
        """Make a project and give its id. Raises AnswerLostError where it may be there."""
        return int(self._read("POST", "/api/projects/", body=fields)["id"])

    def change_project(self, project: int, fields: dict[str, Any]) -> dict[str, Any]:
        """Change settings of a project, and give all of them."""
        self._read("PATCH", f"/api/projects/{project}/", body=fields)
        return self.project(project)

    def delete_project(self, project: int) -> None:
        """Delete a project."""
        self._read("DELETE", f"/api/projects/{project}/", gone=True)

    def add_storage(self, project: int, path: str) -> None:
        """Let a project read media below a folder on the server's disk. Raises AnswerLostError."""
        body = {"project": project, "title": "media", "path": path, "use_blob_urls": True}
        self._read("POST", "/api/storages/localfiles/", body=body)

    def import_tasks(self, project: int, tasks: Sequence[dict[str, Any]]) -> None:
        """Add tasks with their predictions: all or none of them. Raises AnswerLostError where they may be there."""
        self._read("POST", f"/api/projects/{project}/import", body=list(tasks))

    def change_task(self, task: int, data: dict[str, Any]) -> None:
        """Replace the data of a task."""
        self._read("PATCH", f"/api/tasks/{task}/", body={"data": data})

    def delete_tasks(self, project: int, tasks: Sequence[int]) -> None:
        """Delete tasks with all that hangs on them; those that are gone are fine."""
        body = {"selectedItems": {"all": False, "included": list(tasks)}}
        self._read("POST", f"/api/dm/actions/?id=delete_tasks&project={project}", body=body, again=True)

    def add_prediction(self, task: int, model_version: str, result: list[dict[str, Any]]) -> None:
        """Add a prediction to a task. Raises AnswerLostError where it may be there."""
        self._read("POST", "/api/predictions/", body={"task": task, "model_version": model_version, "result": result})

    def delete_prediction(self, prediction: int) -> None:
        """Delete a prediction; one that is gone is fine."""
        self._read("DELETE", f"/api/predictions/{prediction}/", gone=True)

    # How it is asked.

    def _ids(self, project: int) -> Iterator[dict[str, Any]]:
        page = 1
        while True:
            fields = {"project": project, "page": page, "page_size": 10 * PAGE, "include": "id"}
            rows = self._read("GET", "/api/tasks/", fields)["tasks"]
            yield from rows
            if len(rows) < 10 * PAGE:
                return
            page += 1

    def _read(
        self,
        method: str,
        path: str,
        fields: dict[str, Any] | Sequence[tuple[str, str]] = (),
        *,
        body: Any = None,
        gone: bool = False,
        again: bool = False,
    ) -> Any:
        status, text = self._exchange(method, f"{path}?{urlencode(fields)}" if fields else path, body, again=again)
        if gone and status == 404:
            return None
        if status == 404:
            raise CallError(f"{self.url} has no {path.removeprefix('/api').strip('/')}{self._said(text)}")
        if status >= 400:
            raise DataError(f"{self.url} refuses {method} {path} ({status}){self._said(text)}")
        if not text:
            return None
        try:
            return json.loads(text)
        except ValueError:
            raise CallError(f"{self.url} answers {path} with no JSON: is it Label Studio?") from None

    def _exchange(self, method: str, path: str, body: Any = None, *, again: bool = False) -> tuple[int, str]:
        """Send a request until it is answered: status and text.

        Raises AnswerLostError for a POST that may be taken, unless it may be sent `again`.
        """
        patience = self._patience if self._answered else min(self._patience, PATIENCE_AT_FIRST)
        end, tries, renewed = time.monotonic() + patience, 0, False
        while True:
            wait = WAITS[min(tries, len(WAITS) - 1)]
            taken = False
            try:
                if method == "POST":
                    # A connection that the server has closed meanwhile would look like an answer that was lost.
                    self._connection.close()
                if self._connection.sock is None:
                    self._connection.connect()
                if self._token.is_personal() and self._access is None:
                    self._renew()
                taken = True
                status, text, headers = self._send(method, path, body)
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            else:
                self._answered = True
                if status == 401 and self._access and not renewed:
                    self._access, renewed = None, True
                    continue
                self._refuse(status, text, headers, method, path)
                if status not in BUSY and status != 429:
                    return status, text
                taken = status != 429
                why = f"status {status}"
                wait = max(wait, _seconds(headers.get("Retry-After")))
            why = self._hidden(why)
            if method == "POST" and taken and not again:
                raise AnswerLostError(why)
            if time.monotonic() + wait > end:
                raise CallError(f"{self.url} does not answer {method} {path.partition('?')[0]}: {why}")
            self.tell(f"{self.url}: {why}; asked again in {wait:g} s")
            time.sleep(wait)
            tries += 1

    def _send(self, method: str, path: str, body: Any) -> tuple[int, str, http.client.HTTPMessage]:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if path != "/api/token/refresh":
            secret = self._access or self._token.reveal()
            headers["Authorization"] = f"Bearer {secret}" if self._access else f"Token {secret}"
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        self._connection.request(method, self._base + path, content, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace"), answer.headers

    def _renew(self) -> None:
        """Exchange a personal access token for one of those that are good for minutes."""
        status, text, _ = self._send("POST", "/api/token/refresh", {"refresh": self._token.reveal()})
        if status in BUSY:
            raise http.client.HTTPException(f"status {status}")
        try:
            self._access = json.loads(text)["access"] if status == 200 else None
        except (ValueError, KeyError, TypeError):
            self._access = None
        if self._access is None:
            raise CallError(f"{self.url} does not take the personal access token ({status}): is it revoked or expired?")

    def _refuse(self, status: int, text: str, headers: http.client.HTTPMessage, method: str, path: str) -> None:
        if 300 <= status < 400:
            to = self._hidden(headers.get("Location") or "nowhere")
            raise CallError(
                f"{self.url} sends {method} {path.partition('?')[0]} on to {to}: give that server's address"
            )
        if status == 401:
            raise CallError(f"{self.url} does not take the token (401){self._said(text)}")
        if status == 403:
            raise CallError(
                f"the token's user may not {method} {path.partition('?')[0]} on {self.url} (403){self._said(text)}"
            )

    def _said(self, text: str) -> str:
        try:
            answer = json.loads(text)
        except ValueError:
            return ""
        if isinstance(answer, dict):
            detail, errors = answer.get("detail"), answer.get("validation_errors")
            answer = f"{detail}: {json.dumps(errors, ensure_ascii=False)}" if errors else detail or answer
        said = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
        return f": {self._hidden(said)[:2000]}"

    def _hidden(self, text: str) -> str:
        text = self._token.hidden_in(text)
        return text.replace(self._access, HIDDEN) if self._access else text


def _task(row: dict[str, Any]) -> ServerTask:
    predictions = [
        ServerPrediction(each["id"], each.get("model_version") or "", each.get("result") or [])
        for each in row.get("predictions") or []
    ]
    touched = (row.get("total_annotations") or 0) + (row.get("cancelled_annotations") or 0)
    return ServerTask(row["id"], row["data"], predictions, touched)


def _seconds(retry_after: str | None) -> float:
    """Read the seconds of a Retry-After header (RFC 9110); a date in it is taken for no more than the longest wait."""
    if not retry_after:
        return 0.0
    return min(float(retry_after), LONGEST_WAIT) if retry_after.isdecimal() else WAITS[-1]
