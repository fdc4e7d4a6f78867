"""Makes the demo's raw material from real contents: clips, label tables, ground truth and a build recipe.

The scores are measured full-reference quality against the clean clip, and called synthetic wherever they appear.
`python -m dataset_builder.demo.clips OUT --seed N` writes them.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
import yaml

from dataset_builder import engine
from dataset_builder.corpus import write_jsonl
from dataset_builder.demo.contents import CONTENTS, Content, locate
from dataset_builder.demo.quality import quality
from dataset_builder.demo.views import SIZE, VIEWS, clean_frames, read_pictures
from dataset_builder.distort import SEVERITIES, Shape, applied, distorted, truth_of
from dataset_builder.encode import encode_frames, encode_picture, encode_video
from dataset_builder.frame import frames_of_rgb
from dataset_builder.streaming.render import plan_of, played, with_waits
from dataset_builder.video import Pixels
from schemas.draws import pick, share, shuffled
from schemas.errors import DataError
from schemas.record import Applied, GroundTruth
from schemas.session import Segment, Session, StallEvent

FRAMES, FPS = 16, 8.0
SHAPE = Shape(SIZE, SIZE, FPS, FRAMES)
KINDS = ("blur", "compression", "luma_flicker", "noise", "overexposure", "stutter_freeze", "underexposure")
PER_KIND = 2
"""Severities of each kind that a view is given."""
LADDER = ((SIZE, 400.0), (96, 100.0), (64, 30.0))
"""Representations of a session: width and height, and kbit/s."""
SWITCHED, BUFFERED = 0.3, 0.2
"""Shares of sessions that switch their representation half-way, and that buffer before they start."""
SESSION_EVENTS = (0, 0, 1, 1, 2, 3)
TEST_SHARE = 0.3
"""Share of the contents that are kept for the test split: drawn by seed, the same number for every seed."""


def split_of(content: str, seed: int) -> str:
    """Give the split of a content."""
    drawn = shuffled(sorted(c.name for c in CONTENTS), seed, "test contents")
    return "test" if content in drawn[: round(TEST_SHARE * len(CONTENTS))] else "train"


def make_view(item: dict[str, Any]) -> dict[str, Any]:
    """Make all clips of one view of one content, as work for the engine; gives the rows of the tables."""
    content = next(c for c in CONTENTS if c.name == item["content"])
    out, seed, view = Path(item["out"]), int(item["seed"]), item["view"]
    clean = clean_frames(content, view, FRAMES, seed)
    stem = f"{content.name}-{view}"
    rows: dict[str, Any] = {"ugc": [], "truth": [], "streaming": [], "clean": []}
    for kind, severity in [("clean", 0), *_versions(stem, seed)]:
        name = f"{stem}-{kind}-{severity}.mp4"
        frames, done = clean, []
        if severity:
            wanted = _windowed(kind, severity, stem, seed)
            made = distorted(frames_of_rgb(clean), SHAPE, [wanted], seed=seed, key=stem)
            frames, done = [frame.rgb() for frame in made], truth_of([wanted])
        encode_video(frames, FPS, out / "ugc" / "clips" / name)
        rows["truth"].append(msgspec.to_builtins(GroundTruth(clip=name, distortions=done)))
        main = done[0].name if done else ""
        rows["ugc"].append([name, quality(clean, frames), content.name, split_of(content.name, seed), main])
    for number in range(2):
        rows["streaming"].append(_make_session(content, view, number, out, seed))
    if view == VIEWS[0]:
        rows["clean"] = _make_clean(content, clean, out, seed)
    return rows


def _versions(stem: str, seed: int) -> list[tuple[str, int]]:
    """Draw PER_KIND severities of each kind; over all clips every severity comes as often as any other."""
    return [(k, s) for k in KINDS for s in sorted(shuffled(SEVERITIES, seed, stem, k)[:PER_KIND])]


def _windowed(kind: str, severity: int, stem: str, seed: int) -> Applied:
    """Let every fourth distortion last for a second or so only: ground truth for questions about time."""
    if share(seed, stem, kind, str(severity), "window") < 0.75 or kind == "compression":
        return applied(kind, severity)
    start = pick((0.0, 0.5), seed, stem, kind, "start")
    return applied(kind, severity, start=start, end=start + 1.5)


def _make_session(content: Content, view: str, number: int, out: Path, seed: int) -> list[Any]:
    """Make a streaming session: real encodes of two segments, and waits; gives its row."""
    name = f"{content.name}-{view}-session-{number}.mp4"
    draw = (seed, name)
    reference = clean_frames(content, view, 2 * FRAMES, seed)
    session = _session(draw)
    plan = plan_of(session, len(reference), FPS)
    coded = list(played(lambda: frames_of_rgb(reference), session, plan))
    encode_frames(with_waits(coded, session, plan), FPS, out / "streaming" / "clips" / name)
    stalls = [(stall.start, stall.duration) for stall in plan.stalls]
    # A stall costs by how often and how long: synthetic, like the rest of the score.
    penalty = math.exp(-0.1 * len(stalls) - sum(d for _, d in stalls) / (plan.frames / FPS))
    score = round(quality(reference, [frame.rgb() for frame in coded]) * penalty, 3)
    return [name, score, content.name, split_of(content.name, seed), json.dumps(stalls)]


def _session(draw: tuple[int, str]) -> Session:
    """Draw a session of two segments, at one rung of the ladder or switched to another, and of waits.

    A wait lasts for 4, 8 or 12 frames, so that every clip has a multiple of four.
    """
    rungs = [pick(LADDER, *draw, "rung")]
    rungs.append(pick(LADDER, *draw, "switched") if share(*draw, "switch") < SWITCHED else rungs[0])
    events = pick(SESSION_EVENTS, *draw, "events")
    before = sorted(shuffled(range(4, 2 * FRAMES, 5), *draw, "where")[:events])
    lasts = {at: 4 * (1 + int(3 * share(*draw, str(at)))) / FPS for at in (0, *before)}
    return Session(
        segments=[
            Segment(
                representation=LADDER.index(rung), width=side, height=side, bitrate_kbps=kbps, duration=FRAMES / FPS
            )
            for rung in rungs
            for side, kbps in [rung]
        ],
        stalls=[StallEvent(media_time=at / FPS, duration=lasts[at]) for at in before],
        initial_buffering=lasts[0] if share(*draw, "buffers") < BUFFERED else 0.0,
        shown=pick(("frozen", "spinner"), *draw, "shown"),
    )


def _make_clean(content: Content, clean: list[Pixels], out: Path, seed: int) -> list[list[str]]:
    folder, split = out / "clean" / "clips", split_of(content.name, seed)
    encode_video(clean, FPS, folder / f"{content.name}.mp4")
    rows = [[f"{content.name}.mp4", content.name, split]]
    if content.kind == "photograph":
        encode_picture(read_pictures(content, VIEWS[0])[0], folder / f"{content.name}.png")
        rows.append([f"{content.name}.png", content.name, split])
    return rows


def make_clips(
    out: Path,
    seed: int,
    workers: int | None = None,
    track: Callable[[str, int], Callable[[], None]] = lambda _what, _total: lambda: None,
) -> None:
    """Write clips, tables, ground truth and `build.yaml` below `out`: the same bytes for any number of workers."""
    for content in CONTENTS:
        locate(content)
    for part in ("ugc", "streaming", "clean"):
        (out / part / "clips").mkdir(parents=True, exist_ok=True)
    items = [{"content": c.name, "view": view, "seed": seed, "out": str(out)} for c in CONTENTS for view in VIEWS]
    advance = track("making clips", len(items))
    outcomes = engine.run("dataset_builder.demo.clips:make_view", items, slots=workers, on_done=lambda _: advance())
    rows: dict[str, list[Any]] = {"ugc": [], "truth": [], "streaming": [], "clean": []}
    for item, outcome in zip(items, outcomes, strict=True):
        if outcome.result is None:
            raise DataError(f"the clips of {item['content']!r} cannot be made: {outcome.error}")
        for table, added in outcome.result.items():
            rows[table] += added
    rows["ugc"] += _add_bad_inputs(out / "ugc" / "clips")
    _write_table(out / "ugc" / "labels.csv", ["clip", "score", "content", "split", "distortion"], rows["ugc"])
    _write_table(out / "streaming" / "labels.csv", ["clip", "score", "content", "split", "stalls"], rows["streaming"])
    _write_table(out / "clean" / "labels.csv", ["clip", "content", "split"], rows["clean"])
    write_jsonl(out / "ugc" / "ground_truth.jsonl", [msgspec.convert(row, GroundTruth) for row in rows["truth"]])
    (out / "build.yaml").write_text(yaml.safe_dump(_recipe(seed), sort_keys=False), encoding="utf-8")


def _add_bad_inputs(clips: Path) -> list[list[Any]]:
    """Add what users' folders hold: a cut file, one that is no video, a clip nobody labelled, and useless rows."""
    good = sorted(clips.glob("*.mp4"))[0].read_bytes()
    (clips / "cut short.mp4").write_bytes(good[: len(good) // 2])
    (clips / "no video.mp4").write_text("this is no video\n")
    (clips / "nobody labelled this.mp4").write_bytes(good)
    return [
        ["cut short.mp4", 50, "bad inputs", "train", ""],
        ["no video.mp4", 50, "bad inputs", "train", ""],
        ["lost.mp4", 50, "bad inputs", "train", ""],
        ["nobody rated this.mp4", "nan", "bad inputs", "train", ""],
        ["rated on another scale.mp4", 4200, "bad inputs", "train", ""],
    ]


def _write_table(path: Path, header: list[str], rows: list[list[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(header)
        out.writerows(rows)


def _recipe(seed: int) -> dict[str, Any]:
    scale = {"lo": 0, "hi": 100, "range": "nominal", "kind": "synthetic"}
    licence = "see the licences of the packages that ship the contents"
    return {
        "name": "demo",
        "seed": seed,
        "sources": [
            {
                "name": "demo_ugc",
                "table": "ugc/labels.csv",
                "clips": "ugc/clips",
                "licence": licence,
                "columns": {
                    "clip": "clip",
                    "score": "score",
                    "group": "content",
                    "split": "split",
                    "distortion": "distortion",
                },
                "scale": scale,
                "annotations": "ugc/annotations.jsonl",
            },
            {
                "name": "demo_streaming",
                "table": "streaming/labels.csv",
                "clips": "streaming/clips",
                "licence": licence,
                "columns": {"clip": "clip", "score": "score", "group": "content", "split": "split", "stalls": "stalls"},
                "scale": scale,
            },
            {
                "name": "demo_clean",
                "table": "clean/labels.csv",
                "clips": "clean/clips",
                "licence": licence,
                "columns": {"clip": "clip", "group": "content", "split": "split"},
            },
        ],
        "stages": ["stage1", "stage2-ugc", "stage2-streaming", "stage3", "stage3-mix"],
        "distort": {"sources": ["demo_clean"], "severities": [2, 3, 5], "per_clip": 3},
    }


def _main(
    out: Path,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    workers: Annotated[int | None, typer.Option(min=1)] = None,
) -> None:
    """Make the demo's clips, label tables, ground truth and build recipe below OUT."""
    from dataset_builder.progress import tracker

    with tracker() as track:
        make_clips(out, seed, workers, track)


if __name__ == "__main__":
    typer.run(_main)
