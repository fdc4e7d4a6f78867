"""Evaluation on a corpus: correlation with its scores, and the controls without which a correlation says little."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
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
from training.checkpoints.checkpoint import Checkpoint
from training.checkpoints.start import initial_model
from training.inference.score import Question, ask_levels, extracted, question_of
from training.inputs.ahead import ahead, threads
from training.inputs.dataset import read_feeds
from training.inputs.features import FeatureCache
from training.inputs.feeds import FeedReader

CONTROLS = ("blank_frames", "untrained", "trivial")
CHUNK = 64
"""Samples scored together, read while those before them are: a progress step, and a bound on memory."""


@dataclass(frozen=True)
class _Asked:
    """A sample as it is asked, by the name of the model or control that it is asked of; `sharpness` is the trivial one.

    Motion is in it as features: 64 clips of 10 s in dense frames would take 8 GB.
    """

    sample_id: str
    mos: float
    questions: dict[str, Question]
    sharpness: float | None


@dataclass(frozen=True)
class _Unread:
    sample_id: str
    why: str


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
    training) and `trivial` (the Laplacian variance of the key frames). How a sample is asked, `question_of` of
    training/inference/score.py says. Raises CallError when the split holds no sample with a target, or `cache` is of
    another extractor than the untrained control's, DataError when the split is another benchmark than `lock`, or its
    files are not those of its samples.
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
    read = partial(
        _read, models, FeedReader(media_root, checkpoint.config, keep=False, cache=cache), controls, media_root
    )
    reading = ahead(read, samples, workers=threads(), most=CHUNK)
    scores: dict[str, list[float]] = {name: [] for name in ("trained", *(CONTROLS if controls else ()))}
    truth: list[float] = []
    errors: dict[str, str] = {}
    with progress_bar() as progress:
        task = progress.add_task(f"evaluate {config}", total=len(samples))
        while chunk := list(islice(reading, CHUNK)):
            errors |= {found.sample_id: found.why for found in chunk if isinstance(found, _Unread)}
            asked = [found for found in chunk if isinstance(found, _Asked)]
            answers = {
                name: ask_levels(models.get(name, checkpoint), [a.questions[name] for a in asked])
                for name in scores
                if name != "trivial"
            }
            for index, one in enumerate(asked):
                rows = {name: of[index] for name, of in answers.items()}
                if failed := next((name for name, row in rows.items() if row.score is None), None):
                    by = "" if failed == "trained" else f", by the control {failed}"
                    errors[one.sample_id] = f"{rows[failed].clip}: {rows[failed].error}{by}"
                    continue
                truth.append(one.mos)
                for name, row in rows.items():
                    scores[name].append(row.score or 0.0)
                if one.sharpness is not None:
                    scores["trivial"].append(one.sharpness)
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


def _read(
    models: Mapping[str, Checkpoint], feeds: FeedReader, controls: bool, root: Path, located: Located
) -> _Asked | _Unread:
    """Read a sample and ask it of each model. Runs in a thread, ahead of the models."""
    target = located.sample.target
    assert target is not None
    try:
        given = read_feeds(located, feeds)
    except DataError as error:
        return _Unread(located.sample.id, str(error))
    questions = {name: _extracted(model, question_of(model, located, given)) for name, model in models.items()}
    if not controls:
        return _Asked(located.sample.id, target.mos, questions, None)
    questions["blank_frames"] = _blanked(questions["trained"])
    return _Asked(located.sample.id, target.mos, questions, _sharpness(located, root))


def _extracted(model: Checkpoint, question: Question) -> Question:
    return replace(question, feeds=[extracted(model, feed) for feed in question.feeds])


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
