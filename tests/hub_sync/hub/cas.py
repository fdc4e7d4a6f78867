"""The Xet side: xorbs and shards come in, and what a file is made of goes out."""

from __future__ import annotations

import re
import struct

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from tests.hub_sync.hub.context import Hub
from tests.hub_sync.hub.repos import Refusal
from tests.hub_sync.hub.xet import Term, xorb_index


async def put_xorb(hub: Hub, request: Request, name: str) -> Response:
    hub.check_xet(request, "write")
    data = await request.body()
    return JSONResponse({"was_inserted": await _checked(hub.store.put_xorb, name, data)})


async def put_shard(hub: Hub, request: Request) -> Response:
    hub.check_xet(request, "write")
    data = await request.body()
    return JSONResponse({"result": int(await _checked(hub.store.put_shard, data))})


async def dedupe(hub: Hub, request: Request, name: str) -> Response:
    hub.check_xet(request, "read")
    shard = hub.store.dedupe(name)
    if shard is None:
        raise Refusal(404, "chunk not found")
    return Response(shard, media_type="application/octet-stream")


async def reconstruction(hub: Hub, request: Request, name: str) -> Response:
    """The terms that cover the asked range, and where to fetch their chunks."""
    hub.check_xet(request, "read")
    file = hub.store.xet_files.get(name)
    if file is None:
        raise Refusal(404, "file not found")
    first, last = _asked(request, file.size)
    if first >= file.size:
        raise Refusal(416, "past the end")
    terms: list[Term] = []
    before = at = 0
    for term in file.terms:
        if at <= last and first < at + term.size:
            terms.append(term)
        elif at + term.size <= first:
            before = at + term.size
        at += term.size
    return JSONResponse(
        {
            "offset_into_first_range": first - before,
            "terms": [
                {"hash": term.xorb, "unpacked_length": term.size, "range": {"start": term.start, "end": term.end}}
                for term in terms
            ],
            "fetch_info": {name: _fetch(hub, name, terms) for name in {term.xorb for term in terms}},
        }
    )


async def xorb_data(hub: Hub, request: Request, name: str) -> Response:
    hub.check_link(request)
    return FileResponse(hub.store.xorb(name), media_type="application/octet-stream")


async def no_newer_path(hub: Hub, request: Request) -> Response:
    """What newer clients try first; they fall back on this answer."""
    raise Refusal(404, "not found")


def _fetch(hub: Hub, xorb: str, terms: list[Term]) -> list[dict[str, object]]:
    """Overlapping ranges of one xorb are one: hf_xet ends with a panic if they are not."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted((term.start, term.end) for term in terms if term.xorb == xorb):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    offsets = xorb_index(hub.store.xorb(xorb)).offsets
    return [
        {
            "range": {"start": start, "end": end},
            "url": hub.link(hub.cdn, f"/xorb-data/{xorb}"),
            "url_range": {"start": offsets[start], "end": offsets[end] - 1},
        }
        for start, end in merged
    ]


def _asked(request: Request, size: int) -> tuple[int, int]:
    """First and last byte of the Range header."""
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", "bytes=0-"))
    if not found:
        raise Refusal(400, "bad range")
    return int(found[1]), int(found[2]) if found[2] else size - 1


async def _checked(work: object, *arguments: object) -> bool:
    try:
        return await run_in_threadpool(work, *arguments)  # type: ignore[arg-type]
    except (ValueError, IndexError, OSError, struct.error) as error:
        raise Refusal(400, f"{error}") from error
