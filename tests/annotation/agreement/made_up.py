"""Project folders of made-up raters, as create and import leave them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec

from annotation.agreement.answers import Answers
from annotation.folder import Project, Task, TaskRole, config_digest, write_project
from schemas.annotation import Annotation
from schemas.response import Response

CONFIG = "<View/>"


def write(
    folder: Path,
    responses: Iterable[Response],
    gold: Iterable[Annotation] = (),
    seconds: float | dict[str, float] = 8.0,
    kind: Literal["depict", "review"] = "depict",
    **project: Any,
) -> Path:
    """Write a project folder of which every task was answered."""
    responses = list(responses)
    of = {response.task: response for response in responses}
    lasts = seconds if isinstance(seconds, dict) else dict.fromkeys(of, seconds)
    shown = [
        Task(key=key, data={"task_key": key, "record_id": r.record_id, "fps": 25.0, "frames": round(25 * lasts[key])})
        for key, r in of.items()
    ]
    write_project(
        folder,
        project=Project(
            **{
                **{"name": folder.name, "kind": kind, "title": "Made up", "raters": 3, "seed": 0, "recipe": {}},
                **{"config_sha256": config_digest(CONFIG), "recipe_sha256": "0" * 64},
                **project,
            }
        ),
        config=CONFIG,
        tasks=shown,
        roles=[TaskRole(key=key, record_id=r.record_id, role=r.role, of=r.of) for key, r in of.items()],
        gold=gold,
        guidelines="",
    )
    (folder / "responses.jsonl").write_bytes(b"".join(msgspec.json.encode(r) + b"\n" for r in responses))
    return folder


def write_answers(folder: Path, answers: Answers, **project: Any) -> Path:
    """Write a project folder of answers that were made up."""
    return write(folder, answers.responses, answers.gold.values(), dict(answers.seconds), **project)
