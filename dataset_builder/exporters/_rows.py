"""What formats share: how text shows media, and the key in which the rest of a sample travels.

The readers of these formats take the keys they know and leave others alone, so what a format has no place for stands
as JSON text under the key `vqa2`: text, because tables of Arrow want one type a column. It holds the sample but for
what the row itself says; of a turn whose text was changed beyond its tags, the text as it was.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from dataset_builder.exporters._motion import without_motion
from schemas.errors import DataError
from schemas.sample import IMAGE, MOTION, PLACEHOLDERS, VIDEO, MediaRef, Provenance, Sample, Target, Turn

KEY = "vqa2"
SPEAKERS = {"user": "human", "assistant": "gpt"}
Shown = str | list[dict[str, str]]
"""The text of a turn as a format shows it: text with tags, or a list of parts."""
_PLACEHOLDER = re.compile("|".join(PLACEHOLDERS))


class _Rest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A sample but for what its row says. `media` lack their path where the row has it; `texts` are by turn."""

    id: str
    stage: str
    task: str
    media: list[dict[str, Any]]
    target: Target | None
    provenance: Provenance
    texts: dict[int, str]


class Form:
    """How the rows of a format and samples are made of each other, beside what only the format knows."""

    def __init__(self, plain: Callable[[Sequence[Any], Sequence[MediaRef]], list[str]], *, paths: bool = True) -> None:
        """Take what reads the texts of shown turns; `paths` = the row has the media paths.

        `plain` may be wrong of turns that the format changes beyond their tags: those are kept as they were.
        """
        self._plain, self._paths = plain, paths

    def rest(self, sample: Sample, shown: Sequence[Shown]) -> dict[str, str]:
        """Give the key with what a row that shows these turns does not say."""
        guesses = self._plain(shown, sample.media)
        media = [msgspec.to_builtins(media) for media in sample.media]
        for fields in media if self._paths else ():
            del fields["path"]
        rest = _Rest(
            id=sample.id,
            stage=sample.stage,
            task=sample.task,
            media=media,
            target=sample.target,
            provenance=sample.provenance,
            texts={i: turn.text for i, turn in enumerate(sample.turns) if turn.text != guesses[i]},
        )
        return {KEY: msgspec.json.encode(rest).decode()}

    def restored(self, row: dict[str, Any], turns: Sequence[Any], paths: Callable[[str], str]) -> Sample:
        """Make the sample of a row again; `paths` gives the next path of a kind of media. Raises ValueError."""
        if not isinstance(row.get(KEY), str):
            raise ValueError(f"there is no key {KEY!r}: the row was not exported from a corpus")
        rest = msgspec.json.decode(row[KEY], type=_Rest)
        named = [{**fields, "path": paths(fields["kind"])} if self._paths else fields for fields in rest.media]
        media = msgspec.convert(named, list[MediaRef])
        texts = self._plain(turns, media)
        return Sample(
            id=rest.id,
            stage=rest.stage,
            task=rest.task,
            media=media,
            turns=[
                Turn(role="assistant" if index % 2 else "user", text=rest.texts.get(index, text))
                for index, text in enumerate(texts)
            ],
            target=rest.target,
            provenance=rest.provenance,
        )


Tag = Callable[[MediaRef], str]


def _tag_of_kind(media: MediaRef) -> str:
    return VIDEO if media.kind == "video" else IMAGE


def tagged(sample: Sample, tag: Tag) -> list[str]:
    """Write the turns with one tag for each clip or image, and without what announces motion features.

    Raises DataError naming a sample whose text announces them in words that cannot be told from others.
    """
    media = iter(sample.media)
    return [_PLACEHOLDER.sub(lambda _: tag(next(media)), text) for text in texts_without_motion(sample)]


def untagged(shown: Sequence[str], media: Sequence[MediaRef], tag: Tag) -> list[str]:
    """Write our placeholders for the tags of turns."""
    return replaced(shown, ((tag(clip), _tag_of_kind(clip)) for clip in media))


def tagged_by_kind(sample: Sample) -> list[str]:
    """Write the turns with `<video>` for a clip and `<image>` for an image, as most trainers read them."""
    return tagged(sample, _tag_of_kind)


TAGGED = Form(lambda shown, media: untagged(shown, media, _tag_of_kind))
"""The form of formats that use `tagged_by_kind`."""


def replaced(texts: Sequence[str], pairs: Iterator[tuple[str, str]]) -> list[str]:
    """Replace in texts, from left to right, the first of each pair by the second, as many as are found."""
    found = []
    pair = next(pairs, None)
    for text in texts:
        done, left = "", text
        while pair and pair[0] in left:
            before, _, left = left.partition(pair[0])
            done += before + pair[1]
            pair = next(pairs, None)
        found.append(done + left)
    return found


def texts_without_motion(sample: Sample) -> list[str]:
    """Give the texts of the turns without motion features and what announces them. Raises DataError."""
    texts = [turn.text for turn in sample.turns]
    if not any(media.motion_frames for media in sample.media):
        return texts
    try:
        return [without_motion(text) if MOTION in text else text for text in texts]
    except ValueError as error:
        raise DataError(f"{sample.id}: {error}") from None


def refuse_tags(sample: Sample, tags: re.Pattern[str]) -> None:
    """Raise DataError where a text holds what the format's reader would take for a tag of its own."""
    for turn in sample.turns:
        if found := tags.search(turn.text):
            raise DataError(f"{sample.id}: the text holds {found[0]}, which stands for something else in this format")


def one_video_or_images(sample: Sample) -> str | list[str] | None:
    """Give the path of the one video, the path of the one image, the paths of several, or None without media.

    Raises DataError naming a sample that shows anything else.
    """
    paths = [media.path for media in sample.media]
    kinds = [media.kind for media in sample.media]
    if "video" in kinds and len(kinds) > 1:
        raise DataError(f"{sample.id}: the format holds one video a sample, or images; this one shows {len(kinds)}")
    return None if not paths else paths[0] if len(paths) == 1 else paths


def in_turn(paths: Any) -> Callable[[str], str]:
    """Give the next of `paths` (one or a list), whatever kind is asked for."""
    listed = iter([paths] if isinstance(paths, str) else paths or [])
    return lambda _kind: next(listed)


def by_kind(row: dict[str, Any]) -> Callable[[str], str]:
    """Give the next of `videos` or `images`."""
    listed = {"video": iter(row["videos"]), "image": iter(row["images"])}
    return lambda kind: next(listed[kind])


def paths_by_kind(sample: Sample) -> dict[str, list[str]]:
    """List the media paths as `videos` and `images`, each in the order of the text."""
    return {f"{kind}s": [media.path for media in sample.media if media.kind == kind] for kind in ("video", "image")}


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """Split a text into (text, placeholder behind it); the last placeholder is empty."""
    words = _PLACEHOLDER.split(text)
    return itertools.zip_longest(words, _PLACEHOLDER.findall(text), fillvalue="")
