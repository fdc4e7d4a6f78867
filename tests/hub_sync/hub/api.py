"""The Hub side: repositories, commits, listings, and files by name."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, quote

import msgspec
import yaml
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from tests.hub_sync.hub.context import MODEL, Hub, model
from tests.hub_sync.hub.repos import Commit, Entry, Refusal, Repo, last_change, listing

TREE_PAGE, TREE_PAGE_EXPANDED, COMMITS_PAGE = 1000, 50, 50
BINARY = {
    "mp4",
    "webm",
    "mkv",
    "avi",
    "mov",
    "png",
    "jpg",
    "jpeg",
    "gif",
    "parquet",
    "arrow",
    "tar",
    "zip",
    "gz",
    "npy",
    "safetensors",
}


async def whoami(hub: Hub, request: Request) -> Response:
    user = hub.user(request)
    if user is None:
        raise Refusal(401, "Invalid username or password.")
    role = "write" if user.may_write else "read"
    token = {"type": "access_token", "accessToken": {"displayName": "test", "role": role}}
    return JSONResponse(
        {"type": "user", "id": user.name, "name": user.name, "fullname": user.name, "orgs": [], "auth": token}
    )


async def validate_yaml(hub: Hub, request: Request) -> Response:
    return _card_answer((await _json(request))["content"])


async def create_repo(hub: Hub, request: Request) -> Response:
    asked = await _json(request)
    if asked.get("type", "model") not in {"dataset", "model"}:
        raise Refusal(400, "this server holds data sets and models only")
    user = hub.writer(request, asked.get("organization"))
    called = f"{asked.get('organization') or user.name}/{asked['name']}"
    name = called if asked.get("type") == "dataset" else model(called)
    hub.create(name, asked.get("visibility") == "private" or asked.get("private") is True)
    return JSONResponse({"url": hub.web(name), "name": called, "id": called})


async def delete_repo(hub: Hub, request: Request) -> Response:
    asked = await _json(request)
    user = hub.writer(request, asked.get("organization"))
    name = f"{asked.get('organization') or user.name}/{asked['name']}"
    if hub.repos.pop(name, None) is None:
        raise Refusal(404, "Repository not found", "RepoNotFound")
    return JSONResponse({})


async def settings(hub: Hub, request: Request, repo: str) -> Response:
    found, asked = hub.writable(request, repo), await _json(request)
    if "visibility" in asked or "private" in asked:
        found.private = asked.get("visibility") == "private" or asked.get("private") is True
    return JSONResponse({"private": found.private})


async def info(hub: Hub, request: Request, repo: str, revision: str = "main") -> Response:
    found = hub.readable(request, repo)
    commit = found.resolve(revision)
    with_blobs = request.query_params.get("blobs", "").lower() == "true"
    everything = {
        "id": repo.removesuffix(MODEL),
        "author": repo.split("/", maxsplit=1)[0],
        "sha": commit.id,
        "createdAt": found.created,
        "lastModified": commit.date,
        "private": found.private,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "cardData": _front_matter(_card(hub, commit)) or {},
        "siblings": [_sibling(path, entry, with_blobs) for path, entry in sorted(commit.files.items())],
        "usedStorage": sum(entry.size for entry in commit.files.values()),
    }
    wanted = request.query_params.getlist("expand") + request.query_params.getlist("expand[]")
    return JSONResponse({key: value for key, value in everything.items() if not wanted or key in {"id", *wanted}})


async def tree(hub: Hub, request: Request, repo: str, revision: str, folder: str = "") -> Response:
    found = hub.readable(request, repo)
    commit = found.resolve(revision)
    asked = request.query_params
    recursive, expand = (asked.get(name, "").lower() in {"true", "1"} for name in ("recursive", "expand"))
    entries = listing(commit, folder, recursive)
    size = min(int(asked.get("limit", TREE_PAGE)), TREE_PAGE_EXPANDED if expand else TREE_PAGE)
    start = int(asked.get("cursor", 0))
    page = [_tree_entry(hub, found, commit, path, entry, expand) for path, entry in entries[start : start + size]]
    return _page(hub, request, page, start + size if start + size < len(entries) else None)


async def paths_info(hub: Hub, request: Request, repo: str, revision: str) -> Response:
    found = hub.readable(request, repo)
    commit = found.resolve(revision)
    body = await request.body()
    if "json" in request.headers.get("content-type", ""):
        asked = msgspec.json.decode(body)
    else:
        form = parse_qs(body.decode())
        asked = {"paths": form.get("paths", []), "expand": form.get("expand", [""])[0].lower() == "true"}
    folders = {path for path, entry in listing(commit, "", recursive=True) if entry is None}
    return JSONResponse(
        [
            _tree_entry(hub, found, commit, path, commit.files.get(path), bool(asked.get("expand")))
            for path in asked["paths"]
            if path in commit.files or path in folders
        ]
    )


async def refs(hub: Hub, request: Request, repo: str) -> Response:
    found = hub.readable(request, repo)

    def named(kind: str, names: dict[str, str]) -> list[dict[str, str]]:
        return [{"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": to} for name, to in names.items()]

    return JSONResponse(
        {
            "branches": named("heads", found.branches),
            "tags": named("tags", found.tags),
            "converts": [],
            "pullRequests": [],
        }
    )


async def commits(hub: Hub, request: Request, repo: str, revision: str) -> Response:
    history = hub.readable(request, repo).history(revision)
    start = int(request.query_params.get("p", 0)) * COMMITS_PAGE
    page = [
        {
            "id": commit.id,
            "title": commit.title,
            "message": commit.message,
            "date": commit.date,
            "authors": [{"user": commit.author}],
        }
        for commit in history[start : start + COMMITS_PAGE]
    ]
    return _page(hub, request, page, start // COMMITS_PAGE + 1 if start + COMMITS_PAGE < len(history) else None, "p")


async def create_branch(hub: Hub, request: Request, repo: str, name: str) -> Response:
    found, asked = hub.writable(request, repo), await _json(request)
    found.add_branch(name, asked.get("startingPoint") or "main")
    return JSONResponse({})


async def delete_branch(hub: Hub, request: Request, repo: str, name: str) -> Response:
    hub.writable(request, repo).remove_branch(name)
    return JSONResponse({})


async def create_tag(hub: Hub, request: Request, repo: str, revision: str) -> Response:
    found, asked = hub.writable(request, repo), await _json(request)
    found.add_tag(asked["tag"], revision)
    return JSONResponse({})


async def delete_tag(hub: Hub, request: Request, repo: str, name: str) -> Response:
    hub.writable(request, repo).remove_tag(name)
    return JSONResponse({})


async def preupload(hub: Hub, request: Request, repo: str, revision: str) -> Response:
    """How each file is to be sent, and what is there by its name: the client leaves out what is the same."""
    found = hub.writable(request, repo)
    _no_pull_request(request)
    files = found.resolve(revision).files
    answer = []
    for asked in (await _json(request))["files"]:
        mode = (
            "lfs"
            if _is_large(asked["path"], asked["size"], base64.b64decode(asked["sample"]), hub.large)
            else "regular"
        )
        there = files.get(asked["path"])
        oid = {"oid": there.sha256 or there.oid} if there else {}
        answer.append({"path": asked["path"], "uploadMode": mode, "shouldIgnore": False, **oid})
    return JSONResponse({"files": answer})


async def commit(hub: Hub, request: Request, repo: str, revision: str) -> Response:
    found = hub.writable(request, repo)
    user = hub.writer(request)
    _no_pull_request(request)
    lines = [msgspec.json.decode(line) for line in (await request.body()).splitlines() if line.strip()]
    header = next(line["value"] for line in lines if line["key"] == "header")
    changes = list(_changes(hub, lines))
    made = found.add_commit(
        revision, changes, header["summary"], header.get("description", ""), user.name, header.get("parentCommit")
    )
    url = f"{hub.web(repo)}/commit/{made.id}"
    return JSONResponse({"success": True, "commitOid": made.id, "commitUrl": url, "hookOutput": ""})


async def lfs_batch(hub: Hub, request: Request, repo: str) -> Response:
    hub.writable(request, repo)
    objects = []
    for asked in (await _json(request))["objects"]:
        answer = {"oid": asked["oid"], "size": asked["size"]}
        if not hub.store.has_large(asked["oid"]):
            upload = {"href": hub.link(hub.cdn, f"/lfs/{asked['oid']}")}
            verify = {"href": f"{hub.endpoint}/api/lfs-verify"}
            answer["actions"] = {"upload": upload, "verify": verify}
        objects.append(answer)
    return JSONResponse({"transfer": "basic", "objects": objects})


async def lfs_upload(hub: Hub, request: Request, name: str) -> Response:
    hub.check_link(request)
    coming = hub.store.coming()
    with coming.open("wb") as file:
        async for piece in request.stream():
            file.write(piece)
    try:
        await run_in_threadpool(hub.store.keep_large, coming, name)
    except ValueError as error:
        raise Refusal(400, f"{error}") from error
    return Response()


async def lfs_verify(hub: Hub, request: Request) -> Response:
    asked = await _json(request)
    if not hub.store.has_large(asked["oid"]) or hub.store.large_size(asked["oid"]) != asked["size"]:
        raise Refusal(404, "the object is not there, or of another size")
    return JSONResponse({})


async def xet_token(hub: Hub, request: Request, repo: str, scope: str, revision: str) -> Response:
    found = hub.writable(request, repo) if scope == "write" else hub.readable(request, repo)
    _no_pull_request(request)
    found.resolve(revision)
    return hub.xet_token(scope)


async def resolve(hub: Hub, request: Request, repo: str, revision: str, path: str) -> Response:
    """A regular file itself, or where the large one is."""
    commit = hub.readable(request, repo).resolve(revision)
    headers = {"X-Repo-Commit": commit.id}
    entry = commit.files.get(path)
    if entry is None:
        refused = Refusal(404, "Entry not found", "EntryNotFound")
        return JSONResponse(
            {"error": refused.message},
            404,
            {**headers, "X-Error-Code": "EntryNotFound", "X-Error-Message": refused.message},
        )
    if entry.sha256 is None:
        headers["ETag"] = f'"{entry.oid}"'
        return FileResponse(hub.store.blob(entry.oid), headers=headers, media_type="application/octet-stream")
    location = hub.link(hub.cdn, f"/cdn/{entry.sha256}")
    headers |= {
        "ETag": f'"{entry.sha256}"',
        "X-Linked-Etag": f'"{entry.sha256}"',
        "X-Linked-Size": str(entry.size),
        "Location": location,
    }
    known = hub.store.xet_by_sha256.get(entry.sha256)
    if known:
        route = f"{hub.api(repo)}/xet-read-token/{commit.id}"
        headers |= {"X-Xet-Hash": known.hash, "X-Xet-Refresh-Route": route, "Link": f'<{route}>; rel="xet-auth"'}
    return Response(status_code=302, headers=headers)


async def cdn(hub: Hub, request: Request, name: str) -> Response:
    hub.check_link(request)
    path = await run_in_threadpool(hub.store.large, name)
    return FileResponse(path, headers={"ETag": f'"{name}"'}, media_type="application/octet-stream")


async def unknown(hub: Hub, request: Request) -> Response:
    raise Refusal(404, f"this server does not know {request.method} {request.url.path}")


def _changes(hub: Hub, lines: list[dict[str, Any]]) -> Iterator[tuple[str, str, Entry | None]]:
    for line in lines:
        key, value = line["key"], line["value"]
        if key == "file":
            data = base64.b64decode(value["content"])
            if value["path"] == "README.md":
                errors = _card_errors(data.decode(errors="replace"))
                if errors:
                    raise Refusal(400, f"Invalid metadata in README.md: {errors[0]}")
            yield key, value["path"], Entry(hub.store.put_blob(data), len(data))
        elif key == "lfsFile":
            if not hub.store.has_large(value["oid"]):
                raise Refusal(
                    400, f"Your push was rejected: an LFS pointer names a file that does not exist: {value['oid']}"
                )
            yield key, value["path"], Entry.large(value["oid"], hub.store.large_size(value["oid"]))
        elif key in {"deletedFile", "deletedFolder"}:
            yield key, value["path"], None
        elif key != "header":
            raise Refusal(400, f"Unknown operation: {key}")


def _is_large(path: str, size: int, sample: bytes, limit: int) -> bool:
    if size == 0:
        return False
    if size > limit or path.rpartition(".")[2].lower() in BINARY or b"\0" in sample:
        return True
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        return error.start < len(sample) - 3  # else a letter is only cut in two
    return False


def _no_pull_request(request: Request) -> None:
    if request.query_params.get("create_pr"):
        raise Refusal(403, "Pull requests are disabled for this repository")


def _tree_entry(hub: Hub, repo: Repo, commit: Commit, path: str, entry: Entry | None, expand: bool) -> dict[str, Any]:
    found: dict[str, Any]
    if entry is None:
        found = {"type": "directory", "oid": hashlib.sha1(path.encode()).hexdigest(), "size": 0, "path": path}
    else:
        found = {"type": "file", "oid": entry.oid, "size": entry.size, "path": path}
        if entry.sha256:
            found["lfs"] = {"oid": entry.sha256, "size": entry.size, "pointerSize": entry.pointer_size}
            known = hub.store.xet_by_sha256.get(entry.sha256)
            if known:
                found["xetHash"] = known.hash
    if expand:
        last = last_change(repo, commit, path)
        found["lastCommit"] = {"id": last.id, "title": last.title, "date": last.date}
    return found


def _sibling(path: str, entry: Entry, with_blobs: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"rfilename": path}
    if with_blobs:
        found |= {"size": entry.size, "blobId": entry.oid}
        if entry.sha256:
            found["lfs"] = {"sha256": entry.sha256, "size": entry.size, "pointerSize": entry.pointer_size}
    return found


def _page(hub: Hub, request: Request, page: list[dict[str, Any]], after: int | None, name: str = "cursor") -> Response:
    headers = {}
    if after is not None:
        path = request.scope["raw_path"].decode()
        asked = [(key, value) for key, value in request.query_params.multi_items() if key != name]
        query = "&".join(f"{quote(key)}={quote(value)}" for key, value in [*asked, (name, str(after))])
        headers["Link"] = f'<{hub.endpoint}{path}?{query}>; rel="next"'
    return JSONResponse(page, headers=headers)


def _card(hub: Hub, commit: Commit) -> str:
    entry = commit.files.get("README.md")
    if entry is None or entry.sha256:
        return ""
    return hub.store.blob(entry.oid).read_text(encoding="utf-8", errors="replace")


def _front_matter(card: str) -> Any:
    """What stands between the two lines of dashes, None if nothing does. yaml.YAMLError if it is no YAML."""
    parts = card.replace("\r\n", "\n").split("---\n", 2)
    return yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0].strip() else None


def _card_errors(card: str) -> list[str]:
    try:
        found = _front_matter(card)
    except yaml.YAMLError as error:
        return [f"YAML: {error}"]
    if found is None:
        return []
    if not isinstance(found, dict):
        return ["the metadata are no mapping"]
    errors = [f'"{key}" must be text or a list' for key in ("license", "language") if isinstance(found.get(key), dict)]
    configs = found.get("configs", [])
    if not isinstance(configs, list) or any(not isinstance(one, dict) or "config_name" not in one for one in configs):
        errors.append('"configs" must be a list of mappings with a "config_name"')
    return errors


def _card_answer(card: str) -> Response:
    errors = _card_errors(card)
    warnings = [] if card.lstrip().startswith("---") else ["empty or missing yaml metadata in repo card"]
    body = {name: [{"message": text} for text in texts] for name, texts in (("errors", errors), ("warnings", warnings))}
    return JSONResponse(body, 400 if errors else 200)


async def _json(request: Request) -> Any:
    try:
        return msgspec.json.decode(await request.body() or b"{}")
    except msgspec.DecodeError as error:
        raise Refusal(400, f"no JSON: {error}") from error
