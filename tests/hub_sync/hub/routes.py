"""Which request goes where. Matched on the path as sent: a branch `a/b` comes as `a%2Fb`, one part of it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from tests.hub_sync.hub import api, cas
from tests.hub_sync.hub.context import Hub, model, refusal
from tests.hub_sync.hub.faults import Receive, Send
from tests.hub_sync.hub.repos import Refusal

Handler = Callable[..., Awaitable[Response]]


@dataclass(frozen=True)
class Route:
    """One endpoint; `{name}` stands for one part of the path, `{name*}` for all that is left."""

    kind: str
    methods: str
    path: str
    handler: Handler
    more: dict[str, str] = field(default_factory=dict)
    model: bool = False

    def pattern(self) -> re.Pattern[str]:
        path = self.path.replace("{repo}", r"(?P<repo>[^/]+/[^/]+?)")
        path = re.sub(r"\{(\w+)\*\}", r"(?P<\1>.+)", path)
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))


DATASET = "/api/datasets/{repo}"
OF_DATASETS = (
    Route("whoami", "GET", "/api/whoami-v2", api.whoami),
    Route("validate-yaml", "POST", "/api/validate-yaml", api.validate_yaml),
    Route("create-repo", "POST", "/api/repos/create", api.create_repo),
    Route("delete-repo", "DELETE", "/api/repos/delete", api.delete_repo),
    Route("settings", "PUT", f"{DATASET}/settings", api.settings),
    Route("preupload", "POST", f"{DATASET}/preupload/{{revision}}", api.preupload),
    Route("commit", "POST", f"{DATASET}/commit/{{revision}}", api.commit),
    Route("tree", "GET", f"{DATASET}/tree/{{revision}}", api.tree),
    Route("tree", "GET", f"{DATASET}/tree/{{revision}}/{{folder*}}", api.tree),
    Route("paths-info", "POST", f"{DATASET}/paths-info/{{revision}}", api.paths_info),
    Route("refs", "GET", f"{DATASET}/refs", api.refs),
    Route("commits", "GET", f"{DATASET}/commits/{{revision}}", api.commits),
    Route("create-branch", "POST", f"{DATASET}/branch/{{name}}", api.create_branch),
    Route("delete-branch", "DELETE", f"{DATASET}/branch/{{name}}", api.delete_branch),
    Route("create-tag", "POST", f"{DATASET}/tag/{{revision}}", api.create_tag),
    Route("delete-tag", "DELETE", f"{DATASET}/tag/{{name}}", api.delete_tag),
    Route("xet-write-token", "GET", f"{DATASET}/xet-write-token/{{revision}}", api.xet_token, {"scope": "write"}),
    Route("xet-read-token", "GET", f"{DATASET}/xet-read-token/{{revision}}", api.xet_token, {"scope": "read"}),
    Route("info", "GET", f"{DATASET}/revision/{{revision}}", api.info),
    Route("info", "GET", DATASET, api.info),
    Route("lfs-batch", "POST", r"/datasets/{repo}\.git/info/lfs/objects/batch", api.lfs_batch),
    Route("lfs-upload", "PUT", "/lfs/{name}", api.lfs_upload),
    Route("lfs-verify", "POST", "/api/lfs-verify", api.lfs_verify),
    Route("resolve", "GET HEAD", "/datasets/{repo}/resolve/{revision}/{path*}", api.resolve),
    Route("cdn", "GET HEAD", "/cdn/{name}", api.cdn),
    Route("xorb", "POST", "/v1/xorbs/default/{name}", cas.put_xorb),
    Route("shard", "POST", "/v1/shards", cas.put_shard),
    Route("reconstruction", "GET", "/v1/reconstructions/{name}", cas.reconstruction),
    Route("chunk", "GET", "/v1/chunks/[^/]+/{name}", cas.dedupe),
    Route("xorb-data", "GET", "/xorb-data/{name}", cas.xorb_data),
    Route("xet-newer", "GET POST", r"/v2/.*|/v1/xorb-(?:grants|commits)/.*", cas.no_newer_path),
)
OF_MODELS = tuple(
    replace(route, path=route.path.replace("/api/datasets/", "/api/models/").replace("/datasets/", "/"), model=True)
    for route in OF_DATASETS
    if "/datasets/" in route.path
)
ROUTES = (*OF_DATASETS, *OF_MODELS)
UNKNOWN = Route("unknown", "", "", api.unknown)
_PATTERNS = [(set(route.methods.split()), route.pattern(), route) for route in ROUTES]


def find(method: str, raw_path: str) -> tuple[Route, dict[str, str]]:
    """The endpoint, and the parts of the path by name."""
    for methods, pattern, route in _PATTERNS:
        found = pattern.fullmatch(raw_path) if method in methods else None
        if found:
            parts = {name: unquote(part) for name, part in found.groupdict().items()}
            return route, parts | ({"repo": model(parts["repo"])} if route.model else {})
    return UNKNOWN, {}


def kind_of(method: str, raw_path: str) -> str:
    return find(method, raw_path)[0].kind


def application(hub: Hub) -> Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]:
    """The server as ASGI."""

    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        route, parts = find(scope["method"], scope["raw_path"].decode("ascii"))
        try:
            response = await route.handler(hub, request, **parts, **route.more)
        except Refusal as error:
            await request.body()  # a connection closed on what is still sent would lose the answer
            response = refusal(error)
        await response(scope, receive, send)

    return app
