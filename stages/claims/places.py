"""Places in the frame that a text speaks of: sides and corners, the whole of it, back and front, and things in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from stages.claims.words import FUNCTION, listed, stem_of, tokens_of


class Where(NamedTuple):
    """A place: rows and columns of the frame (empty = not said), whether all of it, back or front, and things named."""

    rows: frozenset[str] = frozenset()
    columns: frozenset[str] = frozenset()
    whole: bool = False
    depth: str = ""
    things: frozenset[str] = frozenset()
    quote: str = ""
    at: int = 0

    @property
    def says(self) -> bool:
        """Whether any place is said at all."""
        return bool(self.rows or self.columns or self.whole or self.depth or self.things)

    @property
    def grid(self) -> bool:
        """Whether a part of the frame is said."""
        return bool(self.rows or self.columns)


_PART = (
    r"(?:half|part|portion|side|third|corner|edge|area|region|quarter|quadrant|section|border|margin|hand|zone"
    r"|strip|end|of the)"
)
_ROW = r"(?:upper|top|lower|bottom|topmost|uppermost)"
_COLUMN = r"(?:left|right|leftmost|rightmost)"
_OF_FRAME = r"(?:of the (?:frame|picture|image|screen|scene|shot|view))"
_GRID = re.compile(
    rf"\b(?P<row>{_ROW})[ -](?:and[ -])?(?:(?P<middle>central|middle|centre|center)[ -])?(?P<col>{_COLUMN})\b"
    rf"|\b(?P<col4>{_COLUMN})[ -](?P<row4>{_ROW})\b"
    rf"|\b(?P<row2>{_ROW})(?:[ -](?:most|central|middle|centre|center))?[ -]{_PART}"
    rf"|\b(?:at|along|near|across|towards?|in|from|on) the (?:very )?(?P<row3>top|bottom)\b(?! of (?:that|it|this))"
    rf"|\b(?P<col2>{_COLUMN})(?:[ -](?:hand|most))?[ -]{_PART}"
    rf"|\bthe (?P<col5>left|right) one\b"
    rf"|\b(?:on|to|at|towards?|in|from) (?:the |its )(?:far |extreme |viewer's )?(?P<col3>left|right)\b"
    rf"|\b(?:at|in|near|around|on|towards?) (?:the )?(?:very |dead )?(?P<mid>middle|cent(?:er"
    rf"|re))\b(?! of the (?:clip|video|footage|sequence|recording|playback|second|session))"
    rf"|\b(?P<mid2>central|middle|centre|center)[ -](?:of the (?:frame|picture|image|screen)|part|area|region"
    rf"|portion|third of the (?:frame|picture|image|screen))"
    rf"|\b(?P<rim>corners|edges {_OF_FRAME}|borders {_OF_FRAME}|periphery|margins|outer (?:parts?|areas?|edges?"
    rf"|regions?))\b"
)
_WHOLE = re.compile(
    r"\b(?:whole|entire|full|complete) (?:frame|picture|image|screen|view|scene|field)\b|\beverywhere\b"
    r"|\ball (?:over|across)\b"
    r"|\b(?:every|each) (?:part|corner|area|region|inch)\b|\bacross the (?:frame|picture|image|screen|board)\b"
    r"|\bfrom edge to edge\b"
    r"|\bedge to edge\b|\bcorner to corner\b|\bglobally\b|\bfull frame\b|\ball (?:of )?the (?:frame|picture|image)\b"
    r"|\bframe wide\b"
    r"|\bthroughout the (?:frame|picture|image)\b|\bside to side\b|\ball parts\b|\bwhole of the (?:frame|picture"
    r"|image)\b|\ball areas\b"
)
_DEPTH = re.compile(r"\b(background|foreground|backdrop|distance)\b")
_THING = re.compile(
    r"\b(?:on|in|around|over|across|near|at|behind|along|above|below|beside|within|inside|onto|upon|covers?|affects?"
    r"|hits?|mars|surrounds?"
    r"|especially|mainly|mostly|chiefly|confined to|limited to|affecting|covering|spoils?|ruins?|of) "
    r"(?:only |just |both |mostly |mainly )?(?:the|his|her|their|its|a|an) ((?:[a-z']+[ -]?){1,5})"
)
_HINT = re.compile(
    r"top|bottom|upper|lower|left|right|middle|cent|corner|edge|border|periph|margin|outer|whole|entire|full|every"
    r"|all |each"
    r"|across|global|ground|backdrop|distance|\b(?:on|in|around|over|near|at|behind|along|the) "
)
GENERIC = frozenset(
    stem_of(word)
    for word in listed("""
        video clip footage frame frames picture image images screen scene view shot sequence recording
        recordings part parts area areas region regions portion side sides half corner corners edge edges third
        quarter section border borders beginning start end middle center centre second seconds time moment
        moments first last opening closing final top bottom upper lower left right hand whole entire full
        quality content contents background foreground backdrop distance way extent degree level slight moderate
        noticeable severe video's clip's viewer viewers eye eyes viewing experience playback duration stretch
        interval period mark point points one two three four five six seven eight nine ten detail details motion
        movement camera light brightness shown visible seen appears appear affected affects affect strongly
        clearly same other whole overall most place zone strip band case fact result effect effects problem
        problems issue issues distortion distortions artifact artifacts blur noise flicker world main presence
        lot bit color colors colour colours image tone tones hue hues halfway through much every everything
        everywhere sight display outset finish close conclusion
    """)
)
_BEHIND = frozenset(
    listed("""
        occur occurs appear appears visible seen shown shows look looks suffer suffers become becomes stay stays
        get gets remain remains does exhibit exhibits turn turns makes make keep keeps show affected break
        breaks from
    """)
)
_SAME = {
    stem_of(word): stem_of(name)
    for name, words in {
        "person": "man woman speaker singer presenter people person boy girl lady guy actor actress subject performer "
        "dancer player reporter anchor host interviewee child kid runner musician guitarist lecturer cyclist rider "
        "skater "
        "pedestrian passenger cook chef teacher figure guests crowd audience spectators pedestrians drummer",
        "face": "face faces cheek cheeks forehead skin facial features nose",
        "sky": "sky skies cloud clouds heaven horizon",
        "water": "water sea lake river ocean waves wave pool surf waterfall",
        "grass": "grass lawn meadow field pitch turf foliage leaves trees tree forest vegetation bushes bush hedge "
        "plants greenery",
        "road": "road street asphalt pavement lane highway tarmac",
        "wall": "wall walls facade building buildings house houses masonry plaster architecture brickwork",
        "light": "lamp lamps lights lantern lanterns headlights bulbs bulb window windows spotlights",
        "car": "car cars vehicle vehicles van truck bus traffic",
        "shadow": "shadow shadows shade shaded dark darker",
        "sign": "sign signs text lettering letters logo caption subtitles captions scoreboard",
        "floor": "floor ground stage carpet",
        "screen": "monitor television tv laptop",
    }.items()
    for word in words.split()
}


def where_in(text: str) -> Where:
    """Read a sentence (small letters) for all places that it names, together."""
    if not _HINT.search(text):
        return Where()
    rows: set[str] = set()
    columns: set[str] = set()
    first: list[int] = []
    last: list[int] = []
    for match in _GRID.finditer(text):
        if row := (match["row"] or match["row2"] or match["row3"] or match["row4"]):
            rows.add("upper" if row[0] in "ut" else "lower")
        if column := (match["col"] or match["col2"] or match["col3"] or match["col4"] or match["col5"]):
            columns.add(column[: 4 if column[0] == "l" else 5])
        if match["mid"] or match["mid2"]:
            rows.add("middle")
            columns.add("middle")
        if match["rim"]:
            rows.add("rim")
        first.append(match.start())
        last.append(match.end())
    whole = _WHOLE.search(text)
    if whole:
        first.append(whole.start())
        last.append(whole.end())
    depth = ""
    if found := _DEPTH.search(text):
        depth = "front" if found[1] == "foreground" else "back"
        first.append(found.start())
        last.append(found.end())
    things: set[str] = set()
    for match in _THING.finditer(text):
        if named := things_of(_noun(match[1])):
            things |= named
            first.append(match.start())
            last.append(match.end())
    if not first:
        return Where()
    quote = text[min(first) : max(last)].strip()
    return Where(frozenset(rows), frozenset(columns), bool(whole), depth, frozenset(things), quote, min(first))


def _noun(words: str) -> str:
    """Cut words behind a preposition off where something else begins: "the wall" of "the wall when it rains"."""
    kept = []
    for word in words.replace("-", " ").split():
        if word in _BEHIND or (word in FUNCTION and word not in {"of", "the", "and", "his", "her", "their", "its"}):
            break
        kept.append(word)
    return " ".join(kept)


def things_of(text: str) -> frozenset[str]:
    """Give the stems of the things that words name; people are one thing, and so are sky and clouds."""
    stems = (t.stem for t in tokens_of(text) if t.text not in FUNCTION and t.text[0].isalpha())
    return frozenset(_SAME.get(stem, stem) for stem in stems if stem not in GENERIC and len(stem) > 2)


def described(text: str) -> Where:
    """Read an expert's own words for a place, which may be bare ("left side", "face of the singer")."""
    found = where_in(f"in the {text.removeprefix('the ')}")
    both = where_in(text)
    return Where(
        found.rows | both.rows,
        found.columns | both.columns,
        found.whole or both.whole,
        found.depth or both.depth,
        things_of(text),
        text,
    )


def clash(said: Where, known: Iterable[Where], asked: bool) -> bool:
    """Tell whether a place is no known one. `asked` = it answers where: it says all of it and invents nothing."""
    return all(_differ(said, place, asked) for place in known)


def _differ(said: Where, known: Where, asked: bool) -> bool:
    if same_thing(said.things, known.things):
        # The same thing is named; another side of the frame is still another place.
        return _apart(said.columns, known.columns) or _apart(said.rows, known.rows)
    if _apart(said.rows, known.rows) or _apart(said.columns, known.columns):
        return True
    if said.depth and known.depth and said.depth != known.depth:
        return True
    if known.whole and not (known.grid or known.depth):
        return asked and not said.whole and (said.grid or bool(said.depth))
    if said.whole and not said.grid:
        return known.grid or bool(known.depth) or bool(known.things)
    if asked and said.grid and known.grid:
        return False
    return asked and bool(said.things) and bool(known.things) and not (said.depth and said.depth == known.depth)


def same_thing(said: frozenset[str], known: frozenset[str]) -> bool:
    """Whether one thing is named in both; that both are of a person is not enough, where more is said."""
    person = {stem_of("person")}
    more, other = said - person, known - person
    return bool(more & other) if more and other else bool(said & known)


def _apart(said: frozenset[str], known: frozenset[str]) -> bool:
    return bool(said and known) and not said & known
