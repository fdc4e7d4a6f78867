"""Evaluation on a corpus: correlation with its scores, and the controls without which a correlation says little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dataset_builder.corpus import Located
from dataset_builder.correlation import plcc, srcc
from dataset_builder.locks import clip_ids, make_lock, require_same, scored_samples
from dataset_builder.progress import progress_bar, tracker
from dataset_builder.video import MediaError, Pixels, read_clip
from schemas.errors import CallError, DataError
from schemas.lock import BenchmarkLock, MetricReport, Metrics
from schemas.record import Split
from training.checkpoint import Checkpoint
from training.dataset import read_feeds
from training.features import FeatureCache
from training.feeds import FeedReader
from training.score import Question, ask_levels
from training.start import initial_model

CONTROLS = ("blank_frames", "untrained", "trivial")
CHUNK = 64
"""Samples read before they are scored: a progress step, and a bound on memory."""


@dataclass(frozen=True)
class _Asked:
    question: Question
    mos: float
    sample: Located


def evaluate(
    checkpoint: Checkpoint,
    corpus: Path,
    config: str,
    split: Split,
    media_root: Path,
    *,
    controls: bool,
    lock: BenchmarkLock | None = None,
    called: str = "",
    cache: FeatureCache | None = None,
) -> MetricReport:
    """Score every sample with a target and correlate with its MOS on [0, 1]; `called` is how the report names it.

    The report names the lock of the split, with `lock` that one, which the split must then equal. With `controls` it
    also holds `blank_frames` (key frames made mid-grey, motion kept), `untrained` (the same preset and seed before
    training) and `trivial` (the Laplacian variance of the key frames). Each sample is asked its own question, and its
    answer begun with the checkpoint's prefix. Raises CallError when the split holds no sample with a target, or `cache`
    is of another extractor than the untrained control's, DataError when the split is another benchmark than `lock`, or
    its files are not those of its samples.
    """
    samples = scored_samples(corpus, config, split)
    with tracker() as track:
        found = make_lock(corpus, config, split, media_root=media_root, track=track)
    if lock:
        require_same(lock, found, f"{corpus}: {config}/{split}")
    models = {"trained": checkpoint}
    if controls:
        block = checkpoint.block
        untrained = initial_model(block.preset, checkpoint.config, block.seed).to(checkpoint.model.device).eval()
        models["untrained"] = replace(checkpoint, model=untrained)
        if cache and not cache.is_of(checkpoint.config, untrained.model.motion_extractor):
            raise CallError(
                "this model's motion extractor has learned, so its features are not those of the untrained control: "
                "take --controls or --cache, not both"
            )
    feeds = FeedReader(media_root, checkpoint.config, keep=False, cache=cache)
    scores: dict[str, list[float]] = {name: [] for name in ("trained", *(CONTROLS if controls else ()))}
    truth: list[float] = []
    errors: dict[str, str] = {}
    with progress_bar() as progress:
        task = progress.add_task(f"evaluate {config}", total=len(samples))
        for start in range(0, len(samples), CHUNK):
            chunk = samples[start : start + CHUNK]
            asked = _read(chunk, feeds, checkpoint, errors)
            truth += [a.mos for a in asked]
            for name, model in models.items():
                scores[name] += _scores(model, [a.question for a in asked])
            if controls:
                scores["blank_frames"] += _scores(checkpoint, [_blanked(a.question) for a in asked])
                scores["trivial"] += [_sharpness(a.sample, media_root) for a in asked]
            progress.update(task, advance=len(chunk))
    metrics = {name: Metrics(n=len(s), srcc=srcc(s, truth), plcc=plcc(s, truth)) for name, s in scores.items()}
    named = lock or found
    ids = {located.sample.id: clip_id for located, clip_id in zip(samples, clip_ids(samples), strict=True)}
    return MetricReport(
        benchmark=named.named(),
        config=config,
        split=split,
        model=called,
        n_expected=len(samples),
        errors=list(errors.values()),
        not_scored=sorted(ids[sample_id] for sample_id in errors),
        lock=named,
        **metrics,
    )


def _read(chunk: Sequence[Located], feeds: FeedReader, checkpoint: Checkpoint, errors: dict[str, str]) -> list[_Asked]:
    found = []
    for located in chunk:
        target = located.sample.target
        assert target is not None
        try:
            read = read_feeds(located, feeds)
        except DataError as error:
            errors[located.sample.id] = str(error)
            continue
        prefix = checkpoint.block.scoring.prefix(read[0])
        found.append(_Asked(Question(located.where, located.sample.turns[0].text, prefix, read), target.mos, located))
    return found


def _scores(checkpoint: Checkpoint, questions: Sequence[Question]) -> list[float]:
    scores = []
    for row in ask_levels(checkpoint, questions):
        if row.score is None:
            raise DataError(f"{row.clip}: {row.error}")
        scores.append(row.score)
    return scores


def _blanked(question: Question) -> Question:
    return replace(question, feeds=[feed.blanked() for feed in question.feeds])


def _sharpness(located: Located, root: Path) -> float:
    """Measure the mean Laplacian variance of the key frames, at full size."""
    try:
        variances = read_clip(root / located.sample.media[0].path, each_key=laplacian_variance).keys
    except MediaError as error:
        raise located.error(error) from None
    return float(np.mean(variances))


def laplacian_variance(frame: Pixels) -> float:
    """Measure the variance of the 4-neighbour Laplacian of a frame's luma [H, W, 3], in grey levels squared."""
    luma = frame.astype(np.float64) @ (0.299, 0.587, 0.114)
    centre = luma[1:-1, 1:-1]
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return float((around - 4 * centre).var())
