"""LIQE's lists: images with scores and the distortion each shows, the labels that VQA² stage 1 was built on.

`<set>_<split>_clip.txt`, without a header, separated by tabs: path, MOS, distortion, three scenes. From W. Zhang et
al., "Blind Image Quality Assessment via Vision-Language Correspondence", CVPR 2023, https://github.com/zwx8981/LIQE
(MIT).
LIQE draws several sessions of splits: read the files of one, or an image stands in several splits.
"""

from __future__ import annotations

import re

from dataset_builder.labels import CellError
from dataset_builder.sources import text
from dataset_builder.tables import Form, Row
from schemas.recipe import SourceRecipe
from schemas.record import SPLITS, Split

LIST = Form(separator="\t", header=("path", "mos", "distortion", "scene1", "scene2", "scene3"))

TAXONOMY: dict[str, str | None] = {
    # KonIQ-10k. "realistic blur" is by focus or by motion, not said which; "contrast change" has no direction.
    "overexposure": "overexposure",
    "underexposure": "underexposure",
    "realistic blur": "spatial blur",
    "realistic noise": "noise",
    "realistic contrast change": None,
    "other realistic": None,
    # KADID-10k, in the order of its types. What a level does is in `kadid_10k`.
    "gaussian blur": "spatial blur",
    "lens": "spatial blur",
    "motion": "motion blur",
    "diffusion": None,
    "shifting": None,
    "color quantization": None,
    "oversaturation": "oversaturation",
    "desaturation": "desaturation",
    "jpeg2000 compression": "compression artifact",
    "jpeg compression": "compression artifact",
    "white noise": "noise",
    "white with color": "noise",
    "impulse": "noise",
    "multiplicative": "noise",
    "white noise with denoise": None,
    "brighten": "overexposure",
    "darken": "underexposure",
    "shifting the mean": None,
    "jitter": None,
    "noneccentricity patch": None,
    "pixelate": "block effect",
    "quantization": None,
    "color blocking": None,
    "sharpness": None,
    "contrast": None,
}
"""LIQE's words in ours; None for a word that names none of the taxonomy's distortions."""


def is_list(recipe: SourceRecipe) -> bool:
    """Say whether a recipe reads LIQE's lists, which are text files, and not the set's own table."""
    return recipe.table.lower().endswith(".txt")


def split_of(table: str) -> Split | None:
    """Read the split off the name of a list: `kadid10k_train_clip.txt`."""
    found = re.search(r"_([a-z]+)_clip", table)
    return next((split for split in SPLITS if found and split == found[1]), None)


def distortion_of(row: Row) -> tuple[str | None, str]:
    """Give the distortion that a row of a list names, or None and a remark that says why not. Raises CellError."""
    word = text(row, "distortion") or ""
    if word not in TAXONOMY:
        raise CellError("distortion", f"{word!r} is none of LIQE's words: {', '.join(TAXONOMY)}")
    ours = TAXONOMY[word]
    return ours, "" if ours else f"LIQE's {word!r} is none of the taxonomy's distortions: only the score is used"
