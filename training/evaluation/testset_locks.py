"""Locks of test sets: the same lock as a corpus's (schemas.lock), made of a label file and the clips at hand."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import av
import msgspec

from dataset_builder.corpus import file_entry
from dataset_builder.progress import Tracker, untracked
from dataset_builder.video import MediaError
from dataset_builder.video.opening import frame_rate, is_still, opened
from schemas.lock import BenchmarkLock, Encode, LockedClip, LockedScale, fingerprint
from training.testsets import Items, QuestionItem, ScoredItem

OPEN_ENDED = -1.0
"""What stands for the right option of a question that offers none."""


def lock_of(
    name: str,
    found: Items,
    files: Mapping[str, Path],
    known: BenchmarkLock | None = None,
    track: Tracker = untracked,
) -> BenchmarkLock | None:
    """Lock the items of a test set; None where a clip is missing and no `known` lock speaks for it.

    A scored item is locked by its clip's bytes and its score. A question is locked by the bytes of its clips and all
    that it asks; its `raw` is the number of the right option from 0, OPEN_ENDED where there is none.
    """
    seen = _Seen()
    digests = {}
    advance = track("lock clips", len(files))
    for clip, path in files.items():
        digests[clip] = seen.look_at(path)
        advance()
    spoken_for = {clip.id: clip.sha256 for clip in known.clips} if known else {}
    clips = []
    for item in found.items:
        sha256 = _sha256(item, digests) or spoken_for.get(item.id)
        if sha256 is None and known is None:
            return None
        raw = (
            float(item.raw) if isinstance(item, ScoredItem) else OPEN_ENDED if item.right is None else float(item.right)
        )
        # A clip that neither we nor the lock know is told as one that only this set holds.
        clips.append(LockedClip(id=item.id, sha256=sha256 or "0" * 64, raw=raw))
    clips.sort(key=lambda clip: clip.id)
    scale = found.scale
    scales = []
    if scale:  # floats, whatever the source wrote: a lock that is read back must have the digest that it had
        lo, hi = float(scale.lo), float(scale.hi)
        scales.append(LockedScale(source=name, lo=lo, hi=hi, direction=scale.direction, mode="nominal"))
    called = f"{name}/{found.part}" if found.part else name
    return BenchmarkLock(
        name=called, config=name, split="test", n=len(clips), scales=scales, encode=seen.encode(clips), clips=clips
    )


def _sha256(item: ScoredItem | QuestionItem, digests: Mapping[str, str]) -> str | None:
    if isinstance(item, ScoredItem):
        return digests.get(item.clip)
    if not all(clip in digests for clip in item.clips):
        return None
    asked = [item.question, item.type, list(item.options), item.reference, [digests[clip] for clip in item.clips]]
    return hashlib.sha256(msgspec.json.encode(asked)).hexdigest()


class _Seen:
    """The files of a test set, counted as they are looked at."""

    def __init__(self) -> None:
        self.rates: Counter[str] = Counter()
        self.codecs: Counter[str] = Counter()
        self.sizes: Counter[str] = Counter()
        self.seconds, self.bytes, self.probed = 0.0, 0, 0

    def look_at(self, path: Path) -> str:
        entry = file_entry(path)
        self.bytes += entry.bytes
        self.probed += 1
        try:
            with opened(path) as (container, stream):
                still = is_still(container)
                rate = "image" if still else f"{float(frame_rate(stream)):.2f}".rstrip("0").rstrip(".")
                self.rates[rate] += 1
                self.codecs[stream.codec_context.name] += 1
                self.sizes[f"{stream.codec_context.width}x{stream.codec_context.height}"] += 1
                self.seconds += 1.0 if still else (container.duration or 0) / av.time_base
        except MediaError:
            self.codecs["unreadable"] += 1
        return entry.sha256

    def encode(self, clips: list[LockedClip]) -> Encode:
        return Encode(
            sha256=fingerprint(clips),
            frame_rates=dict(self.rates.most_common()),
            seconds=round(self.seconds, 3),
            probed=self.probed,
            codecs=dict(self.codecs.most_common()),
            sizes=dict(self.sizes.most_common()),
            bytes=self.bytes,
        )
