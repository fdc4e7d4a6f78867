"""Verdicts: which level of quality a text gives a clip, in the five level words or in others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from schemas.levels import LEVELS, Level
from stages.claims.words import FUNCTION, Phrases, Token, listed, phrases_of

Levels = frozenset[Level]


class Verdict(NamedTuple):
    """The levels that a text can fairly mean, and the words that say so."""

    levels: Levels
    first: int
    last: int


def _levels(names: str) -> Levels:
    return frozenset(level for level in LEVELS if level in names.split())


_WORDS: Phrases[Levels] = Phrases(
    {
        f"={phrase}": _levels(names)
        for names, line in (
            (
                "low",
                """
                    low; lowest; very low; terrible; awful; dreadful; horrible; atrocious; very poor; extremely
                    poor; abysmal; unwatchable; very bad; extremely low; bottom; appalling; worst; the worst
                """,
            ),
            ("poor", "poor; second lowest; second worst; next to lowest; one step above the lowest; below fair"),
            (
                "low poor",
                """
                    bad; unsatisfactory; unacceptable; weak; inferior; below average; disappointing; lousy;
                    substandard; rather poor; quite poor; deficient; shoddy; subpar; sub par; degraded; rather
                    low; quite low; on the low side; inadequate
                """,
            ),
            (
                "fair",
                """
                    fair; average; mediocre; middling; so so; passable; medium; moderate; middle; middle of the
                    road; ordinary; neither good nor bad; neither good nor poor; unremarkable; in the middle
                """,
            ),
            (
                "fair good",
                """
                    acceptable; decent; satisfactory; reasonable; adequate; fairly good; ok; okay; quite decent;
                    all right; tolerable
                """,
            ),
            (
                "good",
                """
                    good; second highest; second best; one step below the top; one below the top; solid; better
                    than average; rather good
                """,
            ),
            (
                "good high",
                """
                    great; above average; very good; quite good; commendable; fine; pleasing; strong; nice;
                    superior; really good
                """,
            ),
            (
                "high",
                """
                    high; highest; excellent; superb; outstanding; very high; top; perfect; exceptional; top
                    notch; first rate; best; first class; pristine; the best; topmost; superlative; stellar;
                    splendid; impeccable; flawless
                """,
            ),
            ("low poor fair", "below good; short of good; not good; far from good; less than good"),
        )
        for phrase in phrases_of(line)
    }
)
_ANCHORS = frozenset(
    listed("""
        quality rate rated rates rating level verdict judge judged grade graded score scores evaluate evaluated
        deserves assessed assess conclusion conclude rank ranks ranked class impression overall watchability
        standard category merit
    """)
)
_BEFORE = frozenset(
    listed("""
        is as be was remains looks seems a an the at to hence : rather quite deserves rated called judged judge
        rate only just still stays than it's considered call ends of be would appears reaches overall verdict in
        , merely barely no not isn't assessed graded ranked deemed fairly comes out counts makes remain rating
        level grade says reads
    """)
)
_AFTER = frozenset(
    listed("""
        , and because due given since with overall at despite rather not for as but level one rating grade
        quality mark verdict by owing on thanks in or although though when considering category end to standard
        class even so here : visual picture image video perceptual technical viewing perceived ? because of
        video's
    """)
)
_NOUNS = frozenset(
    listed("""
    quality level rating grade verdict score mark one standard class category impression
""")
)
_ASPECTS = frozenset(
    listed("""
        sharpness focus contrast colors colours color colour exposure brightness light lighting saturation camera
        motion movement playback detail details sound edges texture tones hues noise grain stability
    """)
)
_OTHER_QUALITY = frozenset(listed("audio sound acting story content music"))


_STRIKING: Phrases[Levels] = Phrases(
    {
        f"={phrase}": _levels(names)
        for names, line in (
            (
                "fair good high",
                """
                    excellent; superb; outstanding; flawless; pristine; a joy; stunning; magnificent; top notch; first
                    rate; impeccable; a pleasure; a treat; gorgeous; perfect; splendid; a delight; a feast;
                    spectacular; marvelous; marvellous; fantastic; wonderful; brilliant; faultless; immaculate;
                    exceptional; amazing; second to none; world class; delightful
                """,
            ),
            (
                "low poor fair",
                """
                    terrible; awful; dreadful; horrible; unwatchable; abysmal; atrocious; a disaster; hopeless; a
                    torture; a pain; an ordeal; a nightmare; rubbish; garbage; appalling; a catastrophe; unusable;
                    hideous; trash; a disgrace; a shambles
                """,
            ),
        )
        for phrase in phrases_of(line)
    }
)
"""Words so strong that they tell a level wherever they are said of the clip."""
_OF_CLIP = FUNCTION | listed(
    """
    video clip footage recording film picture image it's that's truly simply absolutely really overall altogether
    in all quality visual technical viewing watching watch see look looks looked feels is whole entire would call
    say utterly quite nothing short general experience frankly honestly eyes eye for
    """
)
_BEHIND = listed(
    "to in all overall throughout from quality video clip footage , and picture viewing for at image recording"
)
_UNSURE = listed("not no if would could should except isn't aren't wasn't but hardly barely never than nor almost far")


def _struck(sentence: Sequence[Token]) -> Iterator[Verdict]:
    """Find strong words that are said of nothing but the clip: "a joy to watch", "the footage is awful"."""
    texts = [t.text for t in sentence]
    if _UNSURE.intersection(texts) or _ASPECTS.intersection(texts) or _OTHER_QUALITY.intersection(texts):
        return
    for first, last, levels in _STRIKING.all_in(sentence):
        clear = all(text in _OF_CLIP or text == "," for text in texts[:first])
        if clear and (last >= len(texts) or texts[last] in _BEHIND):
            yield Verdict(levels, first, last)
            return


def verdicts_in(
    sentence: Sequence[Token], asked_level: bool = False, taken: Sequence[tuple[int, int]] = ()
) -> Iterator[Verdict]:
    """Find verdicts in a sentence; `asked_level` = it answers a question about the level, so a bare word is one.

    `taken` are the places of attributes: the "rate" of a low frame rate rates nothing.
    """
    texts = [t.text for t in sentence]
    for first, last in taken:
        texts[first:last] = [""] * (last - first)
    anchored = any(text in _ANCHORS for text in texts)
    if not (anchored or asked_level) or _OTHER_QUALITY & set(texts):
        if not taken:
            yield from _struck(sentence)
        return
    for first, last, levels in _WORDS.all_in(sentence):
        before = texts[first - 1] if first else ""
        after = (texts[last] or "-") if last < len(texts) else ""
        bare = asked_level and len(texts) <= 4 and (not after or after in _AFTER)
        said = anchored and after in _NOUNS and _qualified(texts, last)
        told = (before in _BEFORE or not before) and (not after or after in _AFTER) and _about_quality(texts, first)
        behind = any(a < first for a, _ in taken)
        if _ASPECTS.intersection(texts[:first]) and not _NOUNS.intersection(texts):
            continue  # "sharpness is good"
        if not (bare or said or told or (asked_level and not behind and (not after or after in _AFTER))):
            continue
        if after in _NOUNS and last + 1 < len(texts) and not texts[last + 1]:
            continue  # "low-level noise"
        denied = any(
            t in {"not", "isn't", "never", "hardly", "wasn't", "no", "cannot", "nor", "than"}
            for t in texts[max(0, first - 3) : first]
        )
        if "than" in texts[max(0, first - 2) : first]:
            continue
        yield Verdict(frozenset(LEVELS) - levels if denied else levels, first, last)


def _qualified(texts: Sequence[str], at: int) -> bool:
    """Whether the noun behind a level word is the clip's quality: "a low level of noise" is not."""
    return (
        not (at + 1 < len(texts) and texts[at + 1] == "of" and not {"quality"} & set(texts[at : at + 4]))
        or texts[at] == "quality"
    )


def _about_quality(texts: Sequence[str], first: int) -> bool:
    """Whether an anchor stands before the word with no other subject between."""
    return any(text in _ANCHORS for text in texts[max(0, first - 14) : first])
