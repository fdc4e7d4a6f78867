"""Project folders and exports in the shape that the server publishes, typed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from annotation.folder import Prediction, Project, Task, TaskRole, config_digest, write_project
from annotation.labeling import controls_of, degrees_of, labeling_config
from annotation.results import Form
from schemas.project import AttributeWord, Clips, ProjectRecipe

Json = dict[str, Any]
REVIEWED = [
    ("p1", "Is it noisy?", "Yes."),
    ("p2", "How sharp is it?", "It is soft."),
    ("p3", "Who shakes?", "The man."),
]
WORDS = ["compression blur", "motion blur", "camera shake", "noise"]


def recipe(kind: str = "depict") -> ProjectRecipe:
    return ProjectRecipe(
        name="trial",
        kind="review" if kind == "review" else "depict",
        clips=Clips(records="corpus"),
        attributes=[AttributeWord(name=word) for word in WORDS],
        pairs="pairs.jsonl" if kind == "review" else None,
    )


def form(kind: str = "depict") -> Form:
    return Form(controls_of(labeling_config(recipe(kind))), tuple(degrees_of(recipe(kind))))


def data(key: str, clip: str = "bikes.mp4", **more: Any) -> Json:
    return {
        "task_key": key,
        "record_id": f"mine/{clip}",
        "video_url": f"http://127.0.0.1:1/{key}.mp4",
        "fps": 30,
        "frames": 300,
        "sha256": "ab" * 32,
        "proxy_sha256": None,
        **more,
    }


def review_data(key: str) -> Json:
    pairs = [{"title": f"Pair {index + 1}", "pair_id": pair} for index, (pair, _, _) in enumerate(REVIEWED)]
    return data(key, source_depiction="It shakes.", pairs=pairs)


def folder(at: Path, tasks: list[Json], kind: str = "depict", roles: dict[str, Json] | None = None) -> Path:
    """Write a project folder with these task data; all are clips unless `roles` says otherwise."""
    config = labeling_config(recipe(kind))
    project = Project(
        name=f"{at.parent.name}-{at.name}",  # of its own on a server that tests share
        kind="review" if kind == "review" else "depict",
        title="Trial",
        raters=3,
        seed=0,
        config_sha256=config_digest(config),
        recipe=msgspec.to_builtins(recipe(kind)),
        recipe_sha256="0" * 64,
    )
    predictions = [Prediction(model_version="m", result=words())] if kind == "review" else []
    sent = [Task(key=each["task_key"], data=each, predictions=predictions) for each in tasks]
    said = [
        TaskRole(
            key=each["task_key"],
            record_id=each["record_id"],
            **{"role": "clip", **(roles or {}).get(each["task_key"], {})},
        )
        for each in tasks
    ]
    write_project(at, project=project, config=config, tasks=sent, roles=said, gold=[], guidelines="")
    return at


def result(name: str, kind: str, value: Json, region: str | None = None) -> Json:
    return {"id": region or f"w-{name}", "from_name": name, "to_name": "video", "type": kind, "value": value}


def text(name: str, *said: str) -> Json:
    return result(name, "textarea", {"text": list(said)})


def level(*words: str) -> Json:
    return result("level", "choices", {"choices": list(words)})


def segment(region: str, name: str, degree: str | None, start: int, end: int, **said: str) -> list[Json]:
    """A segment of the timeline as the server exports it: one result a control, the same id."""
    ranges = {"ranges": [{"start": start, "end": end}]}
    found = [result("attribute", "timelinelabels", {**ranges, "timelinelabels": [name]}, region)]
    if degree is not None:
        found.append(result("degree", "choices", {**ranges, "choices": [degree]}, region))
    return found + [result(control, "textarea", {**ranges, "text": [words]}, region) for control, words in said.items()]


def throughout(*paths: list[str]) -> Json:
    return result("throughout", "taxonomy", {"taxonomy": list(paths)})


def full() -> list[Json]:
    """The answers of the record in the published shape: a segment, problems throughout, texts, a level and a score."""
    return [
        *segment("r2", "motion blur", "severe", 120, 180, when_text="when the person jumps", where_text="on the left"),
        throughout(["compression blur", "severe"], ["camera shake", "noticeable"]),
        text("overall", "The entire video exhibits severe compression blur."),
        text("in_context", "The faces are hard to see."),
        text("ext_question", "How can it be avoided?"),
        text("ext_answer", "With more bits."),
        level("poor"),
        result("score", "number", {"number": 35}),
    ]


def words(**other: str) -> list[Json]:
    """The words of the pairs of a review, some of them others."""
    found = []
    for index, (_, question, answer) in enumerate(REVIEWED):
        found.append(text(f"question_{index}", other.get(f"question_{index}", question)))
        found.append(text(f"answer_{index}", other.get(f"answer_{index}", answer)))
    return found


def verdict(index: int, *said: str) -> Json:
    return result(f"verdict_{index}", "choices", {"choices": list(said)})


def reason(index: int, *said: str) -> Json:
    return result(f"reason_{index}", "choices", {"choices": list(said)})


def annotation(
    number: int, results: list[Json], rater: Any = 7, *, predicted: list[Json] | None = None, **more: Any
) -> Json:
    return {
        "id": number,
        "completed_by": rater,
        "result": results,
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-03-01T10:00:00.000000Z",
        "updated_at": f"2026-03-01T10:{number % 60:02}:30.250000Z",
        "lead_time": 61.5,
        "prediction": {} if predicted is None else {"id": 1, "result": predicted, "created_ago": "3 days"},
        "parent_prediction": None,
        "unique_id": f"00000000-0000-4000-8000-{number:012}",
        "project": 1,
        **more,
    }


def draft(number: int, results: list[Json], user: str = "ann@example.org", user_id: int = 7, **more: Any) -> Json:
    return {
        "id": number,
        "user": user,
        "created_username": f"Ann Smith {user}, {user_id}",
        "created_ago": "2 minutes",
        "result": results,
        "lead_time": 4.0,
        "was_postponed": False,
        "created_at": "2026-03-01T10:00:00.000000Z",
        "updated_at": "2026-03-01T10:00:10.000000Z",
        "annotation": None,
        **more,
    }


def task(number: int, told: Json, annotations: list[Json], drafts: list[Json] | None = None) -> Json:
    return {
        "id": number,
        "data": told,
        "annotations": annotations,
        "drafts": drafts or [],
        "predictions": [],
        "meta": {},
        "created_at": "2026-03-01T09:00:00.000000Z",
        "updated_at": "2026-03-01T09:00:00.000000Z",
        "project": 1,
        "updated_by": 1,
        "comment_authors": [],
    }
