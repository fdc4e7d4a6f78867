"""What plain transformers feeds the models by: questions about clips, and a checkpoint's own way to score, as inputs.

Importing this module tells transformers' auto classes of the family: its models, and for each of them VQA2Processor.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
from torch import Tensor
from transformers import AutoConfig, AutoProcessor, AutoTokenizer, BatchFeature, ProcessorMixin
from transformers.utils import cached_file

from dataset_builder.video import MediaError, count_packets
from schemas.errors import CallError
from schemas.levels import score_of_probabilities
from training.checkpoints.checkpoint import BLOCK, Block, Checkpoint, Scoring, block_of
from training.inference.asking import MOST, worded
from training.inference.score import Question, encoded, too_long
from training.inputs.dataset import Collator
from training.inputs.feeds import Feed, read_feed, refuse_long
from training.inputs.tokens import Tokens
from training.models.config import CONFIGS, MotionConfig

Clip = str | os.PathLike[str]
"""The path of a video or image."""
Clips = Clip | Sequence[Clip | Sequence[Clip]]
"""What one question is about; or for each of several questions what that one is about."""
FROM_WHERE = ("cache_dir", "force_download", "local_files_only", "token", "revision")
"""What says from where a folder is read, among all that `from_pretrained` is given."""


@dataclass(frozen=True)
class _Described:
    """In the place of a model where its configuration is all that is asked."""

    config: MotionConfig


class VQA2Processor(ProcessorMixin):  # type: ignore[misc]  # transformers ships no types
    """Reads clips and words what is asked about them, as inputs of the checkpoint whose folder it was read from.

    A network that extracts motion is part of the model: its dense frames go in as uint8 `motion_frames`.
    """

    def __init__(self, tokenizer: Any, config: MotionConfig, block: Block) -> None:
        """Take what a model folder holds beside its weights. Raises CallError when these are of different models."""
        super().__init__(tokenizer)
        tokens = Tokens(tokenizer, block.system)
        if list(tokens.levels(block.scoring.levels)) != block.scoring.level_tokens:
            raise CallError(f"the tokenizer's level tokens are not those of {BLOCK}: take both from one run")
        self._checkpoint = Checkpoint(_Described(config), tokens, block)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Clip, **kwargs: Any) -> VQA2Processor:
        """Read a model folder, or a repository of the Hub that holds one.

        Raises OSError where a file is missing, CallError for one that is damaged.
        """
        place = os.fspath(pretrained_model_name_or_path)
        where = {name: kwargs[name] for name in FROM_WHERE if name in kwargs}
        block = block_of(Path(cached_file(place, BLOCK, **where)).parent)
        where["trust_remote_code"] = False  # else code that a folder brings along would be offered to be run
        tokenizer = AutoTokenizer.from_pretrained(place, **where)
        return cls(tokenizer, AutoConfig.from_pretrained(place, **where), block)

    def save_pretrained(self, save_directory: Clip, push_to_hub: bool = False, **_kwargs: Any) -> None:
        """Write what a model folder holds beside its weights; a configuration that is there already stays as it is.

        Raises ValueError for `push_to_hub`, which is a method of its own.
        """
        if push_to_hub:
            raise ValueError("save_pretrained writes a folder alone: push it with processor.push_to_hub(repository)")
        folder = Path(save_directory)
        folder.mkdir(parents=True, exist_ok=True)
        self._checkpoint.tokens.save(folder)
        if not (folder / "config.json").exists():  # a model's own knows more: its class, its dtype
            self._checkpoint.config.save_pretrained(folder)  # type: ignore[attr-defined]  # the stock configuration's
        whole = msgspec.structs.replace(self._checkpoint.block, base=None)  # who saves adapters saves them without this
        (folder / BLOCK).write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n")

    @property
    def scoring(self) -> Scoring:
        """How the model is asked for a score: `level_tokens` are the ids of the words `levels`, worst first."""
        return self._checkpoint.block.scoring

    def __call__(
        self,
        text: str | Sequence[str],
        clips: Clips,
        *,
        return_tensors: Literal["pt"] = "pt",
    ) -> BatchFeature:
        """Ask a question about one clip or image, or about two; or several questions, each with its clips.

        Gives tensors for `model(**inputs)` and `model.generate(**inputs)`, padded on the left. Questions are worded as
        `vqa2 ask` words them. Raises MediaError naming a file that cannot be read, CallError for an empty question,
        for too many clips, for more tokens than the model reads, and for placeholders that are not those of the clips.
        """
        if return_tensors != "pt":
            raise CallError(f"inputs are torch tensors, return_tensors 'pt', not {return_tensors!r}")
        asked = []
        for question, paths in _pairs(text, clips):
            if not question.strip():
                raise CallError("a question is empty")
            if not 1 <= len(paths) <= MOST:
                raise CallError(f"a question is about one clip, or about two to compare, not about {len(paths)}")
            feeds = [self._read(path, motion=True) for path in paths]
            asked.append(worded(self._checkpoint, feeds, question))
        return self._inputs(asked)

    def score_inputs(self, clips: Clip | Sequence[Clip]) -> BatchFeature:
        """Ask for the score of each clip as `vqa2 score` does: `scores` reads it off the model's logits.

        Raises MediaError naming a file that cannot be read, CallError for one of more tokens than the model reads.
        """
        paths = _paths(clips)
        if not paths:
            raise CallError("there are no clips to score")
        scoring, asked = self.scoring, []
        moves = scoring.video_prompt != scoring.video_prompt_without_motion
        for path in paths:
            feed = self._read(path, motion=moves)
            question = Question(str(path), scoring.question(feed), scoring.prefix(feed), [scoring.shown(feed)])
            if told := too_long(self._checkpoint, question):
                raise CallError(f"{path}: {told}")
            asked.append(question)
        return self._inputs(asked)

    def scores(self, logits: Tensor) -> list[float]:
        """Give the scores on [0, 1], 1 = best, that the logits [B, L, V] of `score_inputs` tell; NaN where they do."""
        table = logits[:, -1, self.scoring.level_tokens].double().softmax(-1).tolist()
        return [score_of_probabilities(row, self.scoring.weights) for row in table]

    def _read(self, path: Path, *, motion: bool) -> Feed:
        config = self._checkpoint.config
        try:
            frames = count_packets(path)
            if motion and config.reads_motion:
                refuse_long(frames, config)
            return read_feed(path, config, motion=motion)
        except MediaError as error:
            raise type(error)(f"{path}: {error}") from None

    def _inputs(self, questions: Sequence[Question]) -> BatchFeature:
        examples = [encoded(self._checkpoint, question) for question in questions]
        collated = Collator(self._checkpoint.config, self._checkpoint.tokens, side="left")(examples)
        del collated["names"]
        return BatchFeature(collated)


def _pairs(text: str | Sequence[str], clips: Clips) -> list[tuple[str, list[Path]]]:
    """Give each question with its clips."""
    if isinstance(text, str):
        return [(text, _paths(clips))]
    about = [clips] if isinstance(clips, str | os.PathLike) else list(clips)
    if not text or len(text) != len(about):
        raise CallError(f"{len(text)} questions, and clips for {len(about)}: give each question its clips")
    return [(question, _paths(shown)) for question, shown in zip(text, about, strict=True)]


def _paths(clips: Any) -> list[Path]:
    return [Path(clips)] if isinstance(clips, str | os.PathLike) else [Path(clip) for clip in clips]


for _config in CONFIGS.values():
    AutoProcessor.register(_config, VQA2Processor)
