"""What the two YouTube-UGC sets share: one study's scores, for the originals and for their re-encoded copies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dataset_builder.labels import CellError, LabelRow
from dataset_builder.sources import About, Labelled, name_of, rating, required_scale
from dataset_builder.sources._fastvqa import last_part, tables_or_lists
from dataset_builder.tables import Row
from schemas.recipe import Scale, SourceRecipe

HOMEPAGE = "https://media.withyoutube.com/ugc-dataset"
PAPER = (
    "Wang et al., YouTube UGC Dataset for Video Compression Research, MMSP 2019, arXiv 1904.06457; scores: "
    "Wang et al., Subjective Quality Assessment for YouTube UGC Dataset, ICIP 2020, arXiv 2002.12275"
)
LICENCE = "CC-BY"
SCALES = {"full": Scale(lo=1, hi=5)}

SUFFIX = "_crf_10_ss_00_t_20.0"
"""What the name of a re-encoded clip ends in: x264 at CRF 10, the first 20 s."""
_NAME = re.compile(rf"(?P<video>.+?)(?P<suffix>{re.escape(SUFFIX)})?(\.mp4|\.mkv)?")


def group_of(clip: str) -> str:
    """Give the content group of a clip, the same for an original and its re-encoded copy."""
    return f"youtube_ugc/{_parts(clip)[0]}"


def labels(recipe: SourceRecipe, folder: Path, about: About, reencoded: bool) -> Iterator[Labelled]:
    """Read the study's table (`vid`, `MOSFull`, `stdFull`), a MATLAB list (`video_names`, `scores`) or a text list."""
    scale = required_scale(about, recipe)
    for table in tables_or_lists(recipe, folder):
        clip = table.column("vid", "video_names", "video")
        score = table.column("MOSFull", "MOS full", "scores", "mos")
        yield from table.each(partial(_label, clip=clip, score=score, scale=scale, reencoded=reencoded))


def _label(row: Row, clip: str, score: str, scale: Scale, reencoded: bool) -> LabelRow:
    name = name_of(row, clip)
    video, is_copy = _parts(name)
    if is_copy and not reencoded:
        raise CellError(clip, f"{name!r} is a re-encoded copy: read it as source youtube_ugc_h264")
    return LabelRow(
        clip=f"{video}{SUFFIX}.mp4" if reencoded else video,
        score=rating(row, score, scale, std="stdFull"),
        group=group_of(name),
    )


def _parts(clip: str) -> tuple[str, bool]:
    """Give the video that a clip shows, and whether the clip is a re-encoded copy."""
    found = _NAME.fullmatch(last_part(clip))
    return (found["video"], found["suffix"] is not None) if found else (last_part(clip), False)
