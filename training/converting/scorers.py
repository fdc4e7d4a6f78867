"""How each kind of released model is asked for a score: the prompts and weights of upstream's own scripts.

Their repository: Q-Future/Visual-Question-Answering-for-Video-Quality-Assessment, `model_score_*.py`. Where nothing is
published (an image shown to a video scorer, a video without motion) the wording is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from schemas.errors import CallError
from schemas.levels import LEVELS, WEIGHTS
from schemas.sample import IMAGE, MOTION, VIDEO
from stages.wording.prompts import PUBLISHED, SHORT
from training.checkpoints.checkpoint import Scoring
from training.inputs.tokens import Tokens

Kind = Literal["ugc", "streaming", "assistant", "enhanced", "image"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SYSTEM = "You are a helpful assistant."
"""The system prompt of Qwen2, which upstream trains and asks with."""
BY_NAME: tuple[tuple[str, Kind], ...] = (
    ("enhanced", "enhanced"),
    ("ugc-scorer", "ugc"),
    ("ugc_scorer", "ugc"),
    ("streaming-scorer", "streaming"),
    ("streaming_scorer", "streaming"),
    ("assistant", "assistant"),
)
"""What a released folder's name holds, the first that does decides."""
FIFTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Weights of the newer scripts, worst level first: the others' times 0.8, plus 0.2."""


def kind_of(folder: Path) -> Kind:
    """Tell a released model by its folder's name. Raises CallError for a name that says nothing."""
    name = folder.resolve().name.lower()
    found = next((kind for part, kind in BY_NAME if part in name), None)
    if found is None:
        raise CallError(f"{folder.name!r} does not tell which model this is: give --kind {'|'.join(KINDS)}")
    return found


def scoring_for(kind: Kind, tokens: Tokens) -> Scoring:
    """Make the scoring block of a kind. Raises CallError where a level word is not one token."""
    if kind == "streaming":
        asked = f"How would you rate the quality of this video?\n{VIDEO}"
        return _scoring(tokens, asked, asked, PUBLISHED["ours/ugc/image"])
    if kind == "enhanced":
        return _scoring(tokens, VIDEO + MOTION, VIDEO, IMAGE, prefix="", image_prefix="", weights=FIFTHS)
    if kind == "image":
        # Its script reads the logits of " high" and " low" too, though it files them under "excellent" and "bad".
        prefix = "The overall quality of the image is"
        return _scoring(tokens, VIDEO + MOTION, VIDEO, IMAGE, image_prefix=prefix, weights=FIFTHS)
    return _scoring(tokens, PUBLISHED["ugc/video"], SHORT["ugc/video"], PUBLISHED["ours/ugc/image"])


def _scoring(
    tokens: Tokens,
    video: str,
    without_motion: str,
    image: str,
    *,
    prefix: str = "The quality of the video is",
    image_prefix: str = "The quality of the image is",
    weights: Sequence[float] = WEIGHTS,
) -> Scoring:
    return Scoring(
        video_prompt=video,
        video_prompt_without_motion=without_motion,
        image_prompt=image,
        video_prefix=prefix,
        image_prefix=image_prefix,
        levels=list(LEVELS),
        level_tokens=list(tokens.levels()),
        weights=list(weights),
    )
