"""Times that a text speaks of: "from 1.0 s to 2.0 s", "at the third second", "00:03", "first half", "throughout"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

Kind = Literal["span", "point", "onset", "offset", "part", "whole", "brief"]


class When(NamedTuple):
    """A time that a text gives: seconds from `start` to `end`, and where in the text it stands.

    `span` has both ends in numbers, `point` is one moment, `onset` and `offset` are where something starts and stops,
    `part` is loose ("near the end"), `whole` is the whole clip, and `brief` says only that it is short.
    """

    kind: Kind
    start: float
    end: float
    at: int


SLACK = 0.5
"""Seconds by which two people who speak of the same moment differ."""

_WORDS = {
    word: float(number)
    for number, words in enumerate(
        (
            "zero zeroth",
            "one first",
            "two second",
            "three third",
            "four fourth",
            "five fifth",
            "six sixth",
            "seven seventh",
            "eight eighth",
            "nine ninth",
            "ten tenth",
            "eleven eleventh",
            "twelve twelfth",
            "thirteen thirteenth",
            "fourteen fourteenth",
            "fifteen fifteenth",
            "sixteen sixteenth",
            "seventeen seventeenth",
            "eighteen eighteenth",
            "nineteen nineteenth",
            "twenty twentieth",
        )
    )
    for word in words.split()
}
_WORDS |= {"couple of": 2.0, "few": 3.0, "several": 4.0}
_ENDS = frozenset(
    ["is", "goes", "ceases", "over", "gone", "ends", "stops", "vanishes", "disappears", "ended", "stopped", "finished"]
)
_CARDINALS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|twenty"
_ORDINALS = "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth"
_HALVES = r"(?: and a half| and a quarter)?"
_NUMBER = (
    rf"(?:\d{{1,2}}:\d{{2}}(?:\.\d{{1,3}})?|\d{{1,5}}(?:\.\d{{1,3}})?(?:st|nd|rd|th)?|(?:{_CARDINALS}"
    rf"|{_ORDINALS}|zero){_HALVES})"
)
_UNIT = r"(?:[ -]?(?:seconds?|secs?|s)\b)"
_MARK = r"(?:[ -](?:mark|point))"
_TIME = rf"(?:(?:seconds? )?{_NUMBER}{_UNIT}?{_MARK}?|(?:the )?(?:very )?(?:end|finish|close|start|beginning|outset))"
_ABOUT = r"(?:(?:about|around|roughly|approximately|approx\.?|nearly|almost|just|the|second|seconds|t ?=) ){0,3}"

_SPAN = re.compile(
    rf"(?P<lead>\b(?:from|between|starts?(?: at)?|starting at|begins? at|beginning at|spans?|spanning|covers?|"
    rf"occup(?:ies|y)|seconds|at|of|during|in|over|sets in at) )?{_ABOUT}\b(?P<a>{_TIME})"
    rf"(?: into the (?:clip|video))?(?:,)? ?(?:-|\bto|\band|\buntil|\btill|\bthrough|\bup to|\bends? at|\band ends at|"
    rf"\band (?:lasts|stops|vanishes|continues|runs|goes on) (?:at|until|till|to|around)|"
    rf"\b(?:lasting|continuing|running|ending|stopping|lasts|ends|stops) (?:at|until|till|to|through)) ?"
    rf"{_ABOUT}(?P<b>{_TIME})\b",
)
_UNIT_IN = re.compile(r":|\d(?:\.\d+)? ?-?s\b|\bsec|\bs\b|second")
_OPEN = re.compile(
    rf"\b(?P<way>(?:ends|stops|ceases|disappears|vanishes|goes away|is gone|is over)\b[^.,]{{0,40}}? (?:at|after|by)"
    rf"|(?:over|gone|ends|stops|vanishes|disappears|ended|stopped|finished) (?:after|at|by)|after|from|since|past"
    rf"|beyond|until|till|before|up to|by|starting at|starts at|begins at|beginning at|"
    rf"sets in at|starting from|onwards from|prior to) {_ABOUT}(?P<a>{_TIME})"
)
_WAITS = re.compile(
    r"\b(?:not|never|nothing|none|takes|waits?|holds? off|clean|calm|fine|isn't|doesn't|don't|didn't|only"
    r"|hasn't|no \w+)\b"
    r"(?!.*\b(?:stop|stops|end|ends|cease|ceases|let up|go away|goes away|disappear|disappears|clear|recover|settle"
    r"|last|lasts|over|gone|resumes?|restarts?|continues?|goes on|go on|moves? (?:again|on)|returns?|recovers?"
    r"|ceased|settles?)\b)"
)
"""Words before "until" by which something has only just begun then."""
_POINT = re.compile(
    rf"(?<!\bfor )(?<!lasts )(?<!lasting )\b(?:at|around|about|near|in|on|by|during|within|close to|just after"
    rf"|just before) {_ABOUT}(?P<a>(?:seconds? )?{_NUMBER}{_UNIT}?{_MARK}?)"
)
_LONG = re.compile(rf"(?:about|around|roughly|approximately) (?:\d+(?:\.\d+)?|{_CARDINALS}){_UNIT}")
_INTO = re.compile(
    rf"\b(?P<a>{_NUMBER}{_UNIT}|{_NUMBER}) (?:seconds? )?in(?:to)?\b(?! (?:length|total|duration|all|the (?:upper"
    rf"|lower|left)))"
)
_CODE = re.compile(r"\b(?P<a>\d{1,2}:\d{2}(?:\.\d{1,3})?)\b")
_EDGE = re.compile(
    r"\b(?P<edge>first|opening|initial|last|final|closing|ending|middle|second|central|third|latter|former|early"
    r"|fourth) "
    rf"(?:(?P<n>\d{{1,4}}(?:\.\d{{1,2}})?|{_CARDINALS}|couple of|few|several)[ -]?)?"
    r"(?P<what>(?:half|quarter)(?: a| of a|-)? ?second|seconds?|secs?|s\b|half|third|quarter|part|portion"
    r"|moments?|frames?|section|stretch|stages?|two thirds"
    r"|fifth|(?<=[a-z\d])(?=[.,;:]|$))"
)
_PARTS: tuple[tuple[re.Pattern[str], float, float], ...] = tuple(
    (re.compile(words), start, end)
    for words, start, end in (
        (
            r"\b(?:at|in|near|from|around|right at|towards?) (?:the )?(?:very )?(?:beginning|start|outset"
            r"|opening)\b(?! (?:to|till|until))"
            r"|\bearly(?: on| in)?\b|\binitially\b|\bthe (?:\w+ )?(?:opening|start|outset)\b|\bthe beginning\b"
            r"|\bto begin with\b"
            r"|\bopens with\b|\bat first\b|\bas (?:the )?(?:clip|video|footage|it) (?:opens|starts|begins)\b"
            r"|\bbeginning of the\b",
            0.0,
            0.4,
        ),
        (
            r"\b(?:at|in|near|by|around|right at|before|towards?|close to|just before|only at) (?:the )?(?:very )?"
            r"(?:end|ending|close|finish|conclusion)\b|\blate(?: on| in|r on)?\b|\btowards? the end\b|\bthe closing\b"
            r"|\bas (?:the )?(?:clip|video|footage|it) (?:ends|closes|finishes|draws)\b|\bnear the close\b"
            r"|\bends with\b|\bend of the (?:clip|video)\b",
            0.6,
            1.0,
        ),
        (
            r"\b(?:midway|halfway)(?: through| in| into)?\b|\bmid[ -](?:clip|video|way)\b|\bpart[ -]?way through\b"
            r"|\b(?:in|around|near|at|about) (?:the )?(?:very )?(?:middle|midpoint)(?= of the (?:clip|video|footage"
            r"|sequence|recording)| only| stretch|[,.]|$)"
            r"|\bmiddle of the (?:clip|video|footage|sequence|recording|playback)\b|\bmid section\b",
            0.2,
            0.8,
        ),
    )
)
_WHOLE = re.compile(
    r"\bthroughout\b(?! (?:the |this |that |those |these )?(?:frame|picture|image|interval|stretch|seconds?|period"
    r"|first|last|second|\d))"
    r"|(?<!at the )(?<!of the )(?<!ing the )(?<!as a )(?<!er the )(?<!ke the )\b(?:whole|entire|full"
    r"|complete) (?:thing|video|vid|film|movie|tape|footage|sequence|duration|time|length|recording|playback"
    r"|shot|run|runtime|way)\b"
    r"|\ball (?:the way through|the time|along|through the)\b|\bfrom (?:the )?(?:very )?(?:start|beginning|first \w+"
    r"|opening \w+) "
    r"(?:to|till|until|through to) (?:the )?(?:very )?(?:finish|end|last|close|final)\b|\bfrom beginning to end\b"
    r"|\b(?:constant|constantly|continuous|continuously|persistent|persistently|permanent|permanently|perpetual"
    r"|perpetually)\b"
    r"|\bat (?:all|every) (?:times?|moments?)\b|\bnever (?:lets up|stops|goes away|ceases|leaves|disappears|eases"
    r"|fades|clears|settles|relents)\b"
    r"|\bevery (?:second|moment|frame)\b|\bduration of the\b|\b(?:start|beginning|first) to (?:finish|end|last)\b"
    r"|\bfor the duration\b"
    r"|\bin (?:every|each) (?:second|frame)\b|\bat no point (?:does|do) \w+ (?:stop|cease)|\bwithout (?:a break"
    r"|pause|respite|let up|interruption)\b"
    r"|\bends? to end\b|\bconstantly\b|\bunceasing(?:ly)?\b|\bincessant(?:ly)?\b|\bthe clip's (?:whole|entire"
    r"|full)\b|\bacross the (?:clip|video)\b"
)
_BRIEF = re.compile(
    r"\b(?:briefly|brief|momentary|momentarily|fleeting|fleetingly|for a moment|short[ -]lived|for an instant"
    r"|for a split second"
    r"|only once|for a short while|transient|a passing|temporar(?:y|ily))\b"
)
_LATE = re.compile(
    r"\b(?:to|till|until) the (?:very |bitter )?(?:end|last)\b(?! \w*(?: \w+)? of the (?:frame|street|room))"
)
_COUNTED = re.compile(r"\d|second|until|till|up to|(?:from|between) the|to the")
_HINT = re.compile(
    r"\d|second|begin|start|end|middle|mid|half|third|quarter|throughout|whole|entire|full|all |brief|moment"
    r"|constant|contin"
    r"|persist|early|late|first|last|final|open|clos|initial|every|never|durat|fleet|way|perman|perpet|outset|finish"
    r"|conclu|across"
    r"|instant|lived|once|transient|passing|temporar|cease|incess|without|complete|central"
)


def times_in(text: str, duration: float) -> list[When]:
    """Find the times in a sentence (small letters); `duration` is the clip's, in seconds, for parts such as halves."""
    if not _HINT.search(text):
        return []
    taken: list[tuple[int, int]] = []
    found: list[When] = []
    for when, end in _each(text, duration):
        if all(end <= a or when.at >= b for a, b in taken):
            taken.append((when.at, end))
            found.append(when)
    if len(found) > 1:
        # "at 8 s, about one second": how long, not when
        found = [w for w in found if w.kind != "point" or not _LONG.match(text, w.at)] or found
    found.sort(key=lambda w: w.at)
    return found


def _each(text: str, duration: float) -> Iterator[tuple[When, int]]:
    """Give times and where they end in the text, the surest forms first; later ones may overlap earlier ones."""
    for match in _WHOLE.finditer(text):
        yield When("whole", 0.0, duration, match.start()), match.end()
    counted = _COUNTED.search(text) is not None
    for match in _SPAN.finditer(text) if counted else ():
        if not _UNIT_IN.search(match.group()) and match["lead"] not in {"from ", "between "}:
            continue
        if (
            (start := _seconds(match["a"], duration)) is not None
            and (end := _seconds(match["b"], duration)) is not None
            and start <= end
        ):
            yield When("span", start, end, match.start()), match.end()
    for match in _OPEN.finditer(text) if counted else ():
        at = _seconds(match["a"], duration)
        if at is None or (at != duration and not _UNIT_IN.search(match["a"])):
            continue
        kind: Kind = "part"
        way = match["way"]
        if way in {"until", "till", "up to"} or way.split()[0] in _ENDS:
            kind = "offset"
        elif way.endswith("s at") or way.startswith(("starting", "beginning")):
            kind = "onset"
        if way in {"until", "till", "before"} and _WAITS.search(text[max(0, match.start() - 48) : match.start()]):
            kind = "onset"
        late = (kind == "offset" or way in {"before", "by", "prior to"}) and kind != "onset"
        yield When(kind, *((0.0, at) if late else (at, max(at, duration))), match.start()), match.end()
    for match in _LATE.finditer(text):
        yield When("offset", 0.0, duration, match.start()), match.end()
    for match in _EDGE.finditer(text):
        if (match["what"] or match["n"]) and (part := _edge(match, duration)):
            yield When("span" if match["n"] else "part", *part, match.start()), match.end()
    for pattern in (_POINT, _INTO, _CODE) if counted else ():
        for match in pattern.finditer(text):
            if (at := _seconds(match["a"], duration)) is not None and (
                pattern is not _POINT or _UNIT_IN.search(match["a"])
            ):
                nth = re.search(r"(?:st|nd|rd|th) second|(?:" + _ORDINALS + r") second", match["a"])
                yield When("point", max(0.0, at - 1) if nth else at, at, match.start()), match.end()
    for words, first, last in _PARTS:
        for match in words.finditer(text):
            yield When("part", first * duration, last * duration, match.start()), match.end()
    for match in _BRIEF.finditer(text):
        yield When("brief", 0.0, duration, match.start()), match.end()


def _seconds(text: str, duration: float) -> float | None:
    """Read "3", "3.5 s", "third", "00:03", "two and a half" and "the end" as seconds."""
    if match := re.search(r"\b(?:(end|finish|close)|start|beginning|outset)$", text):
        return duration if match[1] else 0.0
    if code := re.search(r"(\d{1,2}):(\d{2}(?:\.\d+)?)", text):
        return 60 * int(code[1]) + float(code[2])
    if number := re.search(r"\d+(?:\.\d+)?", text):
        return float(number.group())
    for word in text.replace("-", " ").split():
        if word in _WORDS and not (word == "second" and text.startswith("second ") and len(text.split()) > 1):
            return _WORDS[word] + (0.5 if "half" in text else 0.25 if "quarter" in text else 0.0)
    return None


def _edge(match: re.Match[str], duration: float) -> tuple[float, float] | None:
    """Turn "first two seconds" or "last third" into seconds."""
    edge, what = match["edge"], match["what"]
    number = match["n"]
    if what.endswith("second") and what != "second":
        length = 0.5 if what.startswith("half") else 0.25
    elif what in {"second", "seconds", "sec", "secs", "s", ""}:
        if number is None and edge in {"second", "third", "fourth"}:
            nth = {"second": 2, "third": 3, "fourth": 4}[edge]
            return nth - 1.0, float(nth)
        length = (3.0 if what in {"seconds", "secs"} else 1.0) if number is None else _seconds_of(number)
        length = min(length, duration)
    elif what in {"half", "third", "quarter", "two thirds", "fifth"}:
        length = duration * {"half": 1 / 2, "third": 1 / 3, "quarter": 1 / 4, "two thirds": 2 / 3, "fifth": 1 / 5}[what]
        if edge in {"second", "third", "fourth"}:
            nth = {"second": 1, "third": 2, "fourth": 3}[edge]
            return min(nth * length, duration), min((nth + 1) * length, duration)
    else:
        length = duration * 0.4
    if edge in {"first", "opening", "initial", "former", "early"}:
        return 0.0, length
    if edge in {"last", "final", "closing", "ending", "latter"}:
        return max(0.0, duration - length), duration
    if edge in {"middle", "central"}:
        return max(0.0, (duration - length) / 2 - duration * 0.1), min(
            duration, (duration + length) / 2 + duration * 0.1
        )
    return None


def _seconds_of(number: str) -> float:
    return _WORDS[number] if number in _WORDS else float(number)
