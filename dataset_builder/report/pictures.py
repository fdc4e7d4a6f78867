"""Which clips the contact sheet shows, and small pictures of their middle key frames."""

from __future__ import annotations

import base64
import io
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from av.video.reformatter import Interpolation
from PIL import Image

from dataset_builder import engine
from dataset_builder.clip_stages import ChangedError, tools
from dataset_builder.corpus import file_entry
from dataset_builder.engine import Outcome, Stage, Work, source_digest
from dataset_builder.progress import Tracker, untracked
from dataset_builder.report.facts import Facts, Shown
from dataset_builder.video import MediaError, decoded_frames
from schemas.draws import share
from schemas.levels import LEVELS

Find = Callable[[str], Path | None]
"""Gives the file of a clip by its media path, None where it is not at hand."""
Draw = Callable[[Sequence[Work]], Mapping[str, Outcome]]
"""Runs `draw_stage` over clips: the outcomes by id."""
PER_LEVEL, PER_DISTORTION = 8, 5
"""Clips shown of a level and of a distortion: of the latter one for each severity."""
MOST_DISTORTIONS = 40
"""Distortions that are shown, the most frequent: a table of labels may name any number."""
UNKNOWN = 9
"""Where a clip of unknown severity stands among the others: last."""
SIDE = 160
"""Pixels of the longer side of a picture."""
QUALITY = 72
TIMEOUT = 60.0
"""Seconds that one picture may take."""
# In whole numbers, so that every processor gives the same pixels.
_EXACT = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


@dataclass(frozen=True)
class Picture:
    """A picture as its page holds it: JPEG in base64, with its size in pixels."""

    jpeg: str
    width: int
    height: int


@dataclass(frozen=True)
class Sheet:
    """The clips of the contact sheet by level and by distortion, and how many there are of each in all."""

    levels: dict[str, list[Shown]]
    distortions: dict[str, list[Shown]]

    def clips(self) -> list[Shown]:
        """List each clip once."""
        listed = itertools.chain(*self.levels.values(), *self.distortions.values())
        return list({clip.record_id: clip for clip in listed}.values())


def choose(facts: Facts) -> Sheet:
    """Choose clips by a hash of their names: the same ones whatever the order, and whatever else is added."""
    levels: dict[str, list[Shown]] = {}
    distorted: dict[str, list[Shown]] = {}
    for clip in facts.shown.values():
        if clip.level is not None:
            levels.setdefault(clip.level, []).append(clip)
        for name in dict.fromkeys(name for name, _ in clip.distortions):
            distorted.setdefault(name, []).append(clip)
    frequent = sorted(distorted, key=lambda name: (-len(distorted[name]), name))[:MOST_DISTORTIONS]
    return Sheet(
        {level: _drawn(levels[level], level)[:PER_LEVEL] for level in LEVELS if level in levels},
        {name: _one_a_severity(name, distorted[name]) for name in sorted(frequent)},
    )


def _drawn(clips: Iterable[Shown], of: str) -> list[Shown]:
    """Put clips in a drawn order, in which every content comes once before any comes again."""
    drawn = sorted(clips, key=lambda clip: (share(0, "report", of, clip.record_id), clip.record_id))
    seen: Counter[str] = Counter()
    turns = []
    for clip in drawn:
        turns.append(seen[clip.group])
        seen[clip.group] += 1
    return [clip for _, clip in sorted(zip(turns, drawn, strict=True), key=lambda of: of[0])]


def _one_a_severity(name: str, clips: list[Shown]) -> list[Shown]:
    """Take one clip for each severity in turn, until there are enough; shown from slight to severe."""
    by_severity: dict[int, list[Shown]] = {}
    for clip in _drawn(clips, name):
        by_severity.setdefault(severity_of(clip, name) or UNKNOWN, []).append(clip)
    in_turn = itertools.chain.from_iterable(itertools.zip_longest(*(by_severity[s] for s in sorted(by_severity))))
    taken = [clip for clip in in_turn if clip is not None][:PER_DISTORTION]
    return sorted(taken, key=lambda clip: severity_of(clip, name) or UNKNOWN)


def severity_of(clip: Shown, name: str) -> int | None:
    """Give the severity of a distortion of a clip, None where only its kind is known."""
    return next((severity for of, severity in clip.distortions if of == name), None)


def draw_stage() -> Stage:
    """Give the stage that draws clips: its results hold for these libraries and this code."""
    digest = source_digest("dataset_builder.report.pictures", "dataset_builder.video")
    return Stage("draw", "dataset_builder.report.pictures:draw_item", digest, {"tools": tools()}, TIMEOUT)


def draw_here(work: Sequence[Work], workers: int | None = None, track: Tracker = untracked) -> dict[str, Outcome]:
    """Draw clips in processes of this machine, and keep nothing."""
    advance, stage = track("drawing clips", len(work)), draw_stage()
    items = [{**item.content, **item.arguments} for item in work]
    done = engine.run(stage.function, items, slots=workers, timeout=stage.timeout, on_done=lambda _: advance())
    return {item.id: outcome for item, outcome in zip(work, done, strict=True)}


def draw_pictures(clips: Iterable[Shown], find: Find, draw: Draw = draw_here) -> dict[str, Picture | str]:
    """Draw each clip, by its media path; where that cannot be done it is said why, and nothing is raised."""
    made: dict[str, Picture | str] = {}
    wanted: list[tuple[str, Work]] = []
    for clip in clips:
        file = find(clip.path)
        if file is None or not file.is_file():
            made[clip.path] = "the clip is not at hand"
        else:
            content = {"sha256": clip.sha256, "frame": clip.frame}
            wanted.append((clip.path, Work(f"{clip.sha256}@{clip.frame}", content, {"path": str(file)})))
    outcomes = draw(list({work.id: work for _, work in wanted}.values())) if wanted else {}
    for path, work in wanted:
        outcome = outcomes[work.id]
        why = (outcome.error or "unknown").replace(work.arguments["path"], "the clip")
        made[path] = Picture(**outcome.result) if outcome.result else why
    return made


def draw_item(item: dict[str, Any]) -> dict[str, Any]:
    """Draw one clip, as work for the engine: the file's `path`, `sha256` and `frame` to a Picture as plain values."""
    path = Path(item["path"])
    if file_entry(path).sha256 != item["sha256"]:
        raise ChangedError("the file is another one than when the corpus was built")
    picture, jpeg = _small(path, item["frame"]), io.BytesIO()
    picture.save(jpeg, "JPEG", quality=QUALITY, optimize=True)
    return {"jpeg": base64.b64encode(jpeg.getvalue()).decode(), "width": picture.width, "height": picture.height}


def _small(path: Path, index: int) -> Image.Image:
    for frame, turns, _ in itertools.islice(decoded_frames(path), index, None):
        scale = SIDE / max(frame.width, frame.height)
        width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
        small = frame.reformat(width, height, "rgb24", interpolation=_EXACT, threads=1).to_ndarray()
        return Image.fromarray(np.ascontiguousarray(np.rot90(small.astype(np.uint8, copy=False), turns)))
    raise MediaError(f"there is no frame {index} in it")
