"""Small corpora to publish: tiny clips that are made here, tables over them, and real builds of these."""

from __future__ import annotations

from pathlib import Path

import av
import msgspec
import numpy as np

from dataset_builder.build import build
from dataset_builder.corpus import MANIFEST, file_entry, read_manifest
from dataset_builder.encode import X264
from dataset_builder.engine import LocalEngine
from dataset_builder.gathering.state import Means
from schemas.recipe import BuildRecipe, load

RECIPE = """\
name: small
sources:
  - name: lab
    table: labels.csv
    clips: clips
    licence: private
    terms: {redistribute: true, modify: true}
    columns: {clip: clip, score: mos, stalls: stalls, distortion: type, group: who, split: split}
    scale: {lo: 1, hi: 5, range: nominal}
    annotations: annotations.jsonl
stages: [stage1, stage2-ugc, stage2-streaming, stage3]
"""
HEAD = "clip,mos,stalls,type,who,split\n"
ROWS = """\
one.mp4,1.25,"[[0.1,0.2]]",noise,a,train
two.mp4,2,[],,b,train
three.mp4,3.5,,flicker,c,test
four.mp4,4.5,,,d,train
bad.mp4,4.5,,nose,d,train
"""
MORE = "five.mp4,2.75,,noise,e,train\n"
ANNOTATIONS = """\
{"id":"a1","clip":"four.mp4","rater":"r1","attributes":[{"name":"noise","degree":"slight"}],\
"overall":"The video shows slight noise."}
"""
VERSIONS = {
    "first": (ROWS, RECIPE, ANNOTATIONS),
    "more": (ROWS + MORE, RECIPE, ANNOTATIONS),
    "fewer": (ROWS.replace("two.mp4,2,[],,b,train\n", ""), RECIPE, ANNOTATIONS),
    "flipped": (ROWS.replace("four.mp4,4.5", "four.mp4,2.5"), RECIPE, ANNOTATIONS),
    "cited": (ROWS, RECIPE.replace("private\n", "private\n    citation: The lab, 2026\n"), ANNOTATIONS),
}
"""Tables, recipe and annotations of the corpora that the tests publish one after another."""


def clip(path: Path, seed: int, size: tuple[int, int] = (64, 48), frames: int = 6) -> Path:
    """Write a clip of blocks that wander, of about 2.5 kB; the same seed gives the same bytes."""
    blocks = np.random.default_rng(seed).integers(0, 255, (size[1] // 4, size[0] // 4, 3), dtype=np.uint8)
    picture = blocks.repeat(4, 0).repeat(4, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"x264-params": X264})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.thread_count = 1  # of the conversion; on its own, neither repeats itself everywhere
        for shift in range(frames):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, shift, 1), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def lab(folder: Path, rows: str = ROWS, recipe: str = RECIPE, annotations: str = ANNOTATIONS) -> Path:
    """Write the folder of a lab: the clips that the rows name, the table, a recipe. Gives the recipe's path."""
    clips = folder / "clips"
    clips.mkdir(parents=True, exist_ok=True)
    for line in rows.splitlines():
        name = line.partition(",")[0]
        clip(clips / name, seed=sum(name.encode()))
    (folder / "labels.csv").write_text(HEAD + rows)
    (folder / "annotations.jsonl").write_text(annotations)
    (folder / "recipe.yaml").write_text(recipe)
    return folder / "recipe.yaml"


def built(recipe: Path, corpus: Path, *overrides: str, workers: int = 2) -> Path:
    """Build a corpus."""
    means = Means(LocalEngine(workers), work=corpus.parent / f"{corpus.name}.work")
    return build(load(recipe, BuildRecipe, overrides), recipe, corpus, means).folder


def rewritten(corpus: Path, changed: dict[str, bytes], gone: tuple[str, ...] = ()) -> Path:
    """Change files of a corpus, and its manifest accordingly: a corpus that somebody made to look whole."""
    manifest = read_manifest(corpus)
    files = {name: entry for name, entry in manifest.files.items() if name not in gone}
    for name, data in changed.items():
        (corpus / name).parent.mkdir(parents=True, exist_ok=True)
        (corpus / name).write_bytes(data)
        files[name] = file_entry(corpus / name)
    save(corpus, files=files)
    return corpus


def save(corpus: Path, **changes: object) -> None:
    """Write the manifest with other values."""
    manifest = msgspec.structs.replace(read_manifest(corpus), **changes)
    (corpus / MANIFEST).write_bytes(msgspec.json.encode(manifest))


def tree(folder: Path) -> dict[str, bytes]:
    """Read every file of a folder, hidden ones too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
