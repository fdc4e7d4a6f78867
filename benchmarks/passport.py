"""How well leak passports find copies, how rarely they accuse other clips, and how fast: prints tables.

`python benchmarks/passport.py [--extra FOLDER] [--clips N] [--attacked N] [--work FOLDER] [--json FILE]`

Clips are cut from the demo's contents and from the clips and pictures of `--extra`: parts of films (the whole picture
and its four quarters, windows of four seconds with half a second between them) and pans over parts of photographs.
Two clips are the **same content** when they come from one file and share part of its picture at the same time (of a
photograph: at any time); such pairs are left out of the count of false positives. Two clips are a **similar shot** when
they come from one file otherwise: another part of the picture, or the same camera at another time. They do count.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import random
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import chi2

from benchmarks._findings import Findings, versions
from benchmarks._findings import Table as Shown
from dataset_builder import engine
from dataset_builder.demo.contents import CONTENTS, locate
from dataset_builder.encode import encode_video
from dataset_builder.leakage.fingerprint import RATE, Fingerprint, fingerprint_item, quantised
from dataset_builder.leakage.passport import Track, from_samples
from dataset_builder.leakage.search import find_matches, is_blank
from dataset_builder.progress import tracker
from dataset_builder.video import Pixels, rgb_frames, rgb_of

SAME, SIMILAR, OTHER = range(3)

WIDTH, HEIGHT = 320, 240
"""Pixels of a clip; those of films and photographs alike."""
WINDOW, GAP = 4.0, 0.5
"""Seconds of a film in one clip, and between two clips."""
PAN_SECONDS, PAN_FPS = 5, 15.0
CLIP_CRF = 18
"""x264 rate factor of the clips before anything is done to them."""


@dataclass(frozen=True)
class Attack:
    """What is done to a clip: filters of libavfilter, x264's rate factor, share of the time that is kept (from where is
    drawn), frames a second at most, and how much faster it plays.
    """

    filters: tuple[tuple[str, str], ...] = ()
    crf: int = 28
    kept: float = 1.0
    fps: float | None = None
    speed: float = 1.0

    def keeps_time(self) -> bool:
        """Say whether the copy begins with what the clip begins with."""
        return self.kept == self.speed == 1


LETTERBOX = ("pad", "iw:iw*9/10:(ow-iw)/2:(oh-ih)/2:black")
PILLARBOX = ("pad", "ih*16/9:ih:(ow-iw)/2:(oh-ih)/2:black")
LOGO = (
    ("drawbox", "iw*0.76:ih*0.05:iw*0.2:ih*0.12:white:fill"),
    ("drawbox", "iw*0.78:ih*0.07:iw*0.1:ih*0.08:red:fill"),
)
TONE = ("lutyuv", r"y=clip((val-128)*1.15+140\,16\,235)")
PROMISED = {
    "re-encoded, crf 40": Attack(crf=40),
    "half the size, crf 32": Attack((("scale", "160:120"),), 32),
    "odd size 227 x 171": Attack((("scale", "227:171"),)),
    "stretched to 320 x 180": Attack((("scale", "320:180"),)),
    "letterboxed, bars of 8 % each": Attack((LETTERBOX,)),
    "pillarboxed to 16:9": Attack((PILLARBOX,)),
    "trimmed by 30 %": Attack(kept=0.7),
    "10 frames/s": Attack(fps=10),
    "contrast x 1.15, luma + 12": Attack((TONE,)),
    "gamma 0.75": Attack((("lutyuv", "y=gammaval(0.75)"),)),
    "Gaussian blur, sigma 3": Attack((("gblur", "sigma=3"),)),
    "noise, strength 25": Attack((("noise", "alls=25:allf=t"),)),
    "logo on 2.4 % of the picture": Attack(LOGO),
    "trimmed, letterboxed, crf 36": Attack((LETTERBOX,), 36, 0.7),
    "trimmed, pillarboxed, half size, crf 36": Attack((PILLARBOX, ("scale", "iw/2:ih/2")), 36, 0.7),
    "trimmed, letterboxed, tone, logo, 10 frames/s, crf 36": Attack((TONE, *LOGO, LETTERBOX), 36, 0.7, 10),
}
BEYOND = {
    "trimmed by 60 %": Attack(kept=0.4),
    "cropped by 3 % a side": Attack((("crop", "iw*0.94:ih*0.94"),)),
    "cropped by 6 % a side": Attack((("crop", "iw*0.88:ih*0.88"),)),
    "cropped by 12 % a side": Attack((("crop", "iw*0.76:ih*0.76"),)),
    "mirrored": Attack((("hflip", ""),)),
    "10 % faster": Attack(speed=1.1),
    "half as fast": Attack(speed=0.5),
}


def plan_clips(extra: Path | None, wanted: int) -> list[dict[str, Any]]:
    """Say which clips to cut: up to `wanted`, of as many files as there are, the same on every machine."""
    paths = [locate(content) for content in CONTENTS] + (sorted(extra.iterdir()) if extra else [])
    plans: list[dict[str, Any]] = []
    for path in dict.fromkeys(paths):
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            width, height, fps = stream.width, stream.height, float(stream.average_rate or 25)
            still = container.format.name.endswith("_pipe") or container.format.name == "image2"
        if still:
            plans += _pans(path, width, height) if min(width, height) >= 250 else []
        else:
            plans += _parts(path, width, height, fps)
    random.Random(0).shuffle(plans)  # noqa: S311 - a fixed order, no secret
    films = [plan for plan in plans if plan["kind"] == "film"]
    return (films + [plan for plan in plans if plan["kind"] != "film"])[:wanted]


def _pans(path: Path, width: int, height: int) -> list[dict[str, Any]]:
    """Plan pans within the 3 x 3 parts of a photograph (slow, every fourth at rest), and within its 2 x 2 (faster)."""
    draw, plans = random.Random(path.name), []  # noqa: S311
    for parts, share in ((3, 0.75), (2, 0.55), (4, 0.8)):
        tall, wide = height / parts, width / parts
        size = min(tall, wide * HEIGHT / WIDTH) * share
        for row, column in itertools.product(range(parts), repeat=2):
            corners = [
                (
                    row * tall + draw.random() * (tall - size),
                    column * wide + draw.random() * (wide - size * WIDTH / HEIGHT),
                )
                for _ in range(2)
            ]
            if parts == 3 and draw.random() < 0.25:
                corners[1] = corners[0]
            boxes = [(round(y), round(x), round(y + size), round(x + size * WIDTH / HEIGHT)) for y, x in corners]
            plans.append({"file": str(path), "kind": "photograph", "boxes": boxes, "times": [0.0, 0.0], "fps": PAN_FPS})
    return plans


def _parts(path: Path, width: int, height: int, fps: float) -> list[dict[str, Any]]:
    """Plan the parts of a film: the whole picture and its quarters, in windows of time."""
    count = sum(1 for _ in rgb_frames(path))
    seconds, top, left = count / fps, height // 2, width // 2
    boxes = [(0, 0, height, width)] + [(y, x, y + top, x + left) for y, x in ((0, 0), (0, left), (top, 0), (top, left))]
    windows = int((seconds + GAP) / (WINDOW + GAP)) or 1
    return [
        {
            "file": str(path),
            "kind": "film",
            "boxes": [box, box],
            "times": [i * (WINDOW + GAP), min(i * (WINDOW + GAP) + WINDOW, seconds)],
            "fps": fps,
        }
        for i in range(windows)
        for box in boxes
    ]


def cut_item(item: dict[str, Any]) -> dict[str, Any]:
    """Cut one clip, unless it is there already, and take its fingerprint: work for the engine."""
    if Path(item["path"]).exists():
        return fingerprint_item(item)
    fps, (start, end) = float(item["fps"]), item["times"]
    if item["kind"] == "film":
        frames = list(itertools.islice(rgb_frames(Path(item["file"])), round(start * fps), round(end * fps)))
    else:
        frames = [next(iter(rgb_frames(Path(item["file"]))))] * int(PAN_SECONDS * PAN_FPS)
    partial = Path(item["path"]).with_suffix(".part")
    encode_video(_cropped(frames, *item["boxes"]), fps, partial, crf=CLIP_CRF)
    partial.rename(item["path"])
    return fingerprint_item(item)


def _cropped(frames: list[Pixels], first: list[int], last: list[int]) -> list[Pixels]:
    found = []
    for index, frame in enumerate(frames):
        share = index / max(1, len(frames) - 1)
        top, left, bottom, right = (round(a + (b - a) * share) for a, b in zip(first, last, strict=True))
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[top:bottom, left:right]), "rgb24")
        found.append(rgb_of(picture.reformat(WIDTH, HEIGHT, interpolation="BICUBIC")))
    return found


def attack_item(item: dict[str, Any]) -> dict[str, Any]:
    """Do one attack to a clip, as work for the engine, and take the fingerprint of the copy."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy.mp4"
        write_copy(Path(item["path"]), copy, {**PROMISED, **BEYOND}[item["attack"]], f"{item['attack']} {item['of']}")
        return fingerprint_item({"path": str(copy)})


def write_copy(path: Path, copy: Path, attack: Attack, seed: str) -> None:
    """Write a copy of a clip: some of its time, at another frame rate, filtered, and encoded anew."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames, rate = list(container.decode(stream)), float(stream.average_rate or 25)
    count = max(1, round(attack.kept * len(frames)))
    first = random.Random(seed).randint(0, len(frames) - count)  # noqa: S311
    frames, rate = frames[first : first + count], rate * attack.speed
    if attack.fps and attack.fps < rate:
        frames = [frames[int(i * rate / attack.fps)] for i in range(int(len(frames) * attack.fps / rate))]
        rate = attack.fps
    encode_video((rgb_of(frame) for frame in _filtered(frames, attack.filters)), rate, copy, crf=attack.crf)


def _filtered(frames: list[av.VideoFrame], filters: tuple[tuple[str, str], ...]) -> list[av.VideoFrame]:
    graph = Graph()
    first = frames[0]
    tick = Fraction(1, 25)
    source = graph.add_buffer(width=first.width, height=first.height, format=first.format, time_base=tick)
    chain = [source, *(graph.add(name, words) for name, words in filters), graph.add("buffersink")]
    for one, other in itertools.pairwise(chain):
        one.link_to(other)
    graph.configure()
    found = []
    for index, frame in enumerate(frames):
        frame.pts, frame.time_base = index, tick
        source.push(frame)
        found.append(graph.vpull())
    return found


def same_content(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Say whether two plans of one file share part of its picture at the same time."""
    if one["kind"] == "film":
        (start, end), (first, last) = one["times"], other["times"]
        if min(end, last) <= max(start, first):
            return False
    ours, theirs = _swept(one["boxes"]), _swept(other["boxes"])
    return all(min(ours[i + 2], theirs[i + 2]) > max(ours[i], theirs[i]) for i in (0, 1))


def _swept(boxes: list[tuple[int, int, int, int]]) -> tuple[int, int, int, int]:
    tops, lefts, bottoms, rights = zip(*boxes, strict=True)
    return min(tops), min(lefts), max(bottoms), max(rights)


def relations(plans: list[dict[str, Any]]) -> NDArray[np.int8]:
    """Give [clips, clips]: SAME for the same content, SIMILAR for similar shots, OTHER for clips of other files."""
    found = np.full((len(plans), len(plans)), OTHER, np.int8)
    by_file: dict[str, list[int]] = defaultdict(list)
    for index, plan in enumerate(plans):
        by_file[plan["file"]].append(index)
    for indices in by_file.values():
        for i, j in itertools.product(indices, repeat=2):
            found[i, j] = SAME if i == j or same_content(plans[i], plans[j]) else SIMILAR
    return found


def fingerprints(what: str, function: str, items: list[dict[str, Any]], track: Track) -> list[Fingerprint]:
    """Run `function` of this file on all items and read the fingerprints it gives."""
    advance = track(what, len(items))
    outcomes = engine.run(f"benchmarks.passport:{function}", items, on_done=lambda _: advance())
    found = []
    for item, outcome in zip(items, outcomes, strict=True):
        if outcome.result is None:
            raise RuntimeError(f"{item}: {outcome.error}")
        found.append(from_samples(bytes.fromhex(outcome.result["words"]), outcome.result["seconds"]))
    return found


def measure(
    what: str,
    clips: list[Fingerprint],
    copies: list[Fingerprint],
    items: list[dict[str, Any]],
    relation: NDArray[np.int8],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Look for all clips and all copies among all clips: rows of recall by attack, and of false positives."""
    matches, of = find_matches(copies, clips), [item["of"] for item in items]
    found = {match.query for match in matches if match.reference == of[match.query]}
    rows = []
    for name in dict.fromkeys(item["attack"] for item in items):
        every = [i for i, item in enumerate(items) if item["attack"] == name]
        seen = [i for i in every if not is_blank(clips[of[i]])]
        rows.append(
            {
                f"{what}: attack": name if name in PROMISED else f"({name})",
                "copies": len(every),
                "recall": len(found & set(every)) / len(every),
                "not blank": len(seen),
                "recall of those": len(found & set(seen)) / len(seen),
            }
        )
    promised = [i for i, item in enumerate(items) if item["attack"] in PROMISED]
    wrong = [(of[m.query], m.reference) for m in matches if items[m.query]["attack"] in PROMISED]
    false = _false_positives(f"{what}: copies, clips", relation[[of[i] for i in promised]], relation, wrong)
    pairs = [(m.query, m.reference) for m in find_matches(clips, clips) if m.query < m.reference]
    upper = relation[np.triu_indices(len(clips), 1)]
    return rows, _false_positives(f"{what}: clips, clips", upper, relation, pairs) + false


def _false_positives(
    what: str, pairs: NDArray[np.int8], relation: NDArray[np.int8], matched: list[tuple[int, int]]
) -> list[dict[str, Any]]:
    rows = []
    for name, kinds in (("similar shots", [SIMILAR]), ("other files", [OTHER]), ("all", [SIMILAR, OTHER])):
        count = int(np.isin(pairs, kinds).sum())
        wrong = sum(relation[pair] in kinds for pair in matched)
        # Garwood's exact upper bound of a Poisson count, one-sided; pairs that share a clip are no independent draws.
        bound = chi2.ppf(0.95, 2 * (wrong + 1)) / 2 / count if count else float("nan")
        rows.append({"set": what, "pairs of": name, "pairs": count, "false": wrong, "upper 95 %": bound})
    return rows


def measure_speed(real: list[Fingerprint], count: int, seconds: int, copies: int) -> dict[str, Any]:
    """Time the search for `count` clips among `count` others; both drawn to look like the real ones, some planted.

    Signs are drawn from a normal distribution with the covariance of the real signs, which drifts from sample to sample
    at a speed drawn for each clip.
    """
    words = np.concatenate([clip.words for clip in real])
    signs = _unpacked(words[:, 0]) - _unpacked(words[:, 1])
    draw = np.random.default_rng(0)
    mean, root = signs.mean(axis=0), np.linalg.cholesky(np.cov(signs.T) + 1e-6 * np.eye(64))
    clips = [_drawn(draw, mean, root, seconds * RATE) for _ in range(2 * count - copies)]
    ours, theirs = clips[:count], clips[count:] + clips[:copies]
    start, worked = time.perf_counter(), time.process_time()
    matches = find_matches(ours, theirs)
    seconds_all, seconds_worked = time.perf_counter() - start, time.process_time() - worked
    planted = sum(m.reference == m.query + count - copies for m in matches)
    return {
        "clips": f"{count} x {count} of {seconds} s",
        "seconds": seconds_all,
        "CPU seconds": seconds_worked,
        "planted": copies,
        "planted found": planted,
        "others found": len(matches) - planted,
    }


def _unpacked(words: NDArray[np.uint64]) -> NDArray[np.int8]:
    return np.unpackbits(words.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1).astype(np.int8)


def _drawn(
    draw: np.random.Generator, mean: NDArray[np.floating[Any]], root: NDArray[np.floating[Any]], samples: int
) -> Fingerprint:
    drift = 10 ** draw.uniform(-3, 0)
    latent = draw.standard_normal((samples, 64))
    for i in range(1, samples):
        latent[i] = np.sqrt(1 - drift) * latent[i - 1] + np.sqrt(drift) * latent[i]
    return Fingerprint(quantised(*[(10 * (mean + latent @ root.T)).astype(np.float64)] * 2), samples / RATE)


def show(rows: list[dict[str, Any]], title: str) -> None:
    """Print rows as a table."""
    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(name, justify="left" if isinstance(rows[0][name], str) else "right")
    for row in rows:
        table.add_row(*(f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()))
    Console(width=120).print(table)


def cpu() -> str:
    """Name the processor."""
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor()


def main() -> None:
    """Measure recall, false positives and speed, and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extra", type=Path, help="a folder of more clips and pictures to cut from")
    parser.add_argument("--clips", type=int, default=2000, help="clips to cut at most")
    parser.add_argument("--attacked", type=int, default=150, help="clips of which copies are made")
    parser.add_argument("--speed", type=int, default=10_000, help="clips on each side of the timed search")
    parser.add_argument("--work", type=Path, help="keep the clips here, and take those that are here already")
    parser.add_argument("--json", type=Path, help="write all figures to this file too")
    asked = parser.parse_args()
    found = find(asked.extra, asked.clips, asked.attacked, asked.speed, asked.work)
    print(f"{found['clips']} clips, {found['blank']} of them blank, from {found['files']} files;", end=" ")
    print(f"copies of {found['attacked']} of them")
    for name in ("recall", "false", "still recall", "still false"):
        show(found[name], "")
    show([found["speed"]], f"on {cpu()}")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2))


def find(extra: Path | None, wanted: int, attacked: int, searched: int, kept: Path | None = None) -> dict[str, Any]:
    """Measure recall, false positives and speed: counts and lists of rows by name. Clips stay in `kept`, if given."""
    plans = plan_clips(extra, wanted)
    with tempfile.TemporaryDirectory() as scratch, tracker() as track:
        work = kept or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        for index, plan in enumerate(plans):
            plan["path"] = f"{work}/{index:05d}.mp4"
        clips = fingerprints("cutting clips", "cut_item", plans, track)
        chosen = sorted(random.Random(1).sample(range(len(plans)), min(attacked, len(plans))))  # noqa: S311
        items = [{"path": plans[i]["path"], "of": i, "attack": name} for i in chosen for name in PROMISED]
        items += [{"path": plans[i]["path"], "of": i, "attack": name} for i in chosen[::3] for name in BEYOND]
        copies = fingerprints("making copies", "attack_item", items, track)
    relation = relations(plans)
    recalls, false = measure("clips", clips, copies, items, relation)
    at_once = [i for i, item in enumerate(items) if {**PROMISED, **BEYOND}[item["attack"]].keeps_time()]
    stills, still_copies = [first_picture(clip) for clip in clips], [first_picture(copies[i]) for i in at_once]
    still_recalls, still_false = measure("stills", stills, still_copies, [items[i] for i in at_once], relation)
    return {
        "cpu": cpu(),
        "clips": len(clips),
        "blank": sum(map(is_blank, clips)),
        "files": len({plan["file"] for plan in plans}),
        "attacked": len(chosen),
        "recall": recalls,
        "false": false,
        "still recall": still_recalls,
        "still false": still_false,
        "speed": measure_speed(clips, searched, 10, searched // 20),
    }


def run(*, quick: bool) -> Findings:
    """Measure a part of what `main` does, so that it takes minutes: docs/passport.md has the whole."""
    found = find(None, 12, 2, 60) if quick else find(None, 400, 24, 2000)
    clips = f"{found['clips']} clips, {found['blank']} of them blank, of {found['files']} files"
    return Findings(
        [
            Shown(
                f"recall: copies of {found['attacked']} clips among {clips}; (in brackets: not promised)",
                found["recall"],
            ),
            Shown("false positives", found["false"]),
            Shown("stills: recall", found["still recall"]),
            Shown("stills: false positives", found["still false"]),
            Shown("time of a search", [found["speed"]]),
        ],
        setup={"versions": versions("av", "numpy")},
    )


def first_picture(clip: Fingerprint) -> Fingerprint:
    """Take the first quarter of a second of a clip as a still."""
    return Fingerprint(np.concatenate([clip.words[:1, :2], np.zeros((1, 2), np.uint64)], axis=1), 0.0)


if __name__ == "__main__":
    main()
