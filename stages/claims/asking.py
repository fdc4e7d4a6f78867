"""What a question wants to know: a time, a place, a level, the worst problem, or whether a problem ever ends."""

from __future__ import annotations

import re
from collections.abc import Sequence

from stages.claims import lexicon
from stages.claims.clauses import PHRASES
from stages.claims.lexicon import ANYTHING, Sense
from stages.claims.places import things_of
from stages.claims.words import Token, listed, plain, tokens_of

_WHEN = re.compile(
    r"\b(?:when|points|moments?|time|times|how long|how soon|how late|seconds?|period|stretch|interval|spans?|last"
    r"|lasts|develop|window|whenabouts|timestamp|timecode|at what stage"
    r"|(?:in|during|over|through|for) (?:which|what) (?:parts?|portions?|sections?|bits?|phase|range|segment|seconds)"
    r"\b(?! of (?:the |this )?(?:frame|picture|image|scene|screen|shot|view))"
    r"|(?:where|whereabouts) in the (?:video|clip|footage|recording|timeline|vid)"
    r"|(?:part|half|portion|stage|section)s? of (?:the|this) (?:video|clip|footage|playback|recording|sequence))\b"
)
_WHERE = re.compile(
    r"\b(?:where|where's|whereabouts|areas?|regions?|corners?|sides?|location|located|spot|spots|place"
    r"|(?:part|half|portion|bit)s? of (?:the|this) (?:frame|picture|image|scene|screen|shot|view)"
    r"|(?:which|what) (?:objects?|items?|things?|subjects?|surfaces?|elements?)|element)\b"
)
_TIMELINE = re.compile(r"\b(?:where|whereabouts) in the (?:video|clip|footage|recording|timeline|vid)\b")
_ADVICE = re.compile(
    r"\b(?:should|how (?:can|could|would|do|to|might|does one)|fix|cure|improve|avoid|prevent|tips?|advice|advise"
    r"|recommend|suggest|remedy|next (?:time|ride|take|shoot)|do about|get rid|save|rescue|repair|what (?:would"
    r"|could) you"
    r"|what (?:would|could) (?:help|have)|way to|in the edit|in post)\b"
)
_STRENGTH = re.compile(
    r"\bhow (?:much|strong|strongly|bad|badly|severe|severely|serious|seriously|noticeable|visible|heavy|heavily|deep"
    r"|pronounced|obvious|big|disturbing|far|intense|marked)\b|\b(?:strength|extent|degree|severity|intensity)\b"
)
_LASTS = re.compile(
    r"\b(?:(?:ever|finally|eventually|at (?:any|some) (?:point|time|stage)) (?:\w+ )?(?:go(?:es)? away|stop|end|cease"
    r"|calm|settle|let up|ease|disappear|vanish|clear|improve|recover|fade|die|quit|subside|leave|give (?:us|you|it) a)"
    r"|(?:go away|let up|calm down|settle down|die down|clear up|wear off|die away|ease off|quieten down|quiet down)\b"
    r"|\b(?:stop|(?<!the )end|cease|settle|disappear|vanish|subside|fade)\W*$)"
)
_WHAT = frozenset(listed("what which who whose what's who's which's"))
_LEADING = frozenset(listed("so and but now ok okay well then tell me exactly just ,"))
_LINKS = frozenset(
    listed("""
        is are was were looks look looked gets get got appears appear seems seem suffers suffer from has have comes
        come came out turns turn turned too so most that went goes gone being been keeps keep kept badly visibly
        clearly all a bit little slightly really affected by hit shows show object objects part parts bit thing
        things person area areas region of in the scene frame picture image element surface item side subject here
        became becomes remains stays ends up ended rendered
    """)
)
_PIECES = frozenset(listed("bit part area thing one spot patch region object corner element surface person stuff"))
_AUXILIARIES = frozenset(
    listed("""
        is are was were does do did has have can could would will should isn't doesn't aren't wasn't weren't didn't
        don't hasn't haven't
    """)
)
_OWNED = frozenset(listed("the his her my its their that those these this our your"))


def asks_when(stem: str) -> bool:
    """Whether a question (small letters) asks for a time."""
    return bool(_WHEN.search(stem))


def asks_where(stem: str) -> bool:
    """Whether a question (small letters) asks for a place, or for the thing that is affected: "what flickers?"."""
    if _TIMELINE.search(stem):
        return False
    return bool(_WHERE.search(stem)) or asks_what(stem)


def asks_strength(stem: str) -> bool:
    """Whether a question asks how strong something is."""
    return bool(_STRENGTH.search(stem))


def asks_advice(stem: str) -> bool:
    """Whether a question asks what could be done."""
    return bool(_ADVICE.search(stem))


def asks_end(stem: str) -> bool:
    """Whether a question asks if a problem goes away: yes says that it does not last."""
    return bool(_LASTS.search(stem))


def asks_what(stem: str) -> bool:
    """Whether a question asks which thing is affected: "what flickers?", "which part looks faded?"."""
    tokens = tokens_of(plain(stem))
    start = next((i for i, t in enumerate(tokens[:4]) if t.text not in _LEADING), len(tokens))
    if start >= len(tokens) or tokens[start].text not in _WHAT:
        return False
    found = next(((a, b, s) for a, b, s in PHRASES.all_in(tokens) if isinstance(s, Sense)), None)
    if found is None or found[2].covers == (ANYTHING,):
        return False
    first, last, _ = found
    between = [t.text for t in tokens[start + 1 : first]]
    after = tokens[last].text if last < len(tokens) else ""
    if between[-1:] in (["the"], ["a"], ["that"]):
        return after in _PIECES
    if not between and tokens[start].text not in {"what's", "who's", "which's"}:
        return tokens[first].text.endswith("s") and after in {
            "",
            "in",
            "at",
            "on",
            "so",
            "there",
            "here",
            "?",
            "during",
        }
    if tokens[start].text == "which" and len(between) < 4:
        between = between[1:]
    return _LINKS.issuperset(between)


def subject_of(stem: str) -> frozenset[str]:
    """Give the things that a yes/no question is about: "is the river too dark?" asks about the river alone."""
    tokens = tokens_of(plain(stem))
    found = next((a for a, _, s in PHRASES.all_in(tokens) if isinstance(s, Sense)), len(tokens))
    start = next((i for i, t in enumerate(tokens) if t.text in _AUXILIARIES), None)
    if start is None or start + 2 >= len(tokens) or tokens[start + 1].text not in _OWNED:
        return frozenset()
    return things_of(_words(tokens[start + 2 : min(found, start + 6)]))


def _words(tokens: Sequence[Token]) -> str:
    kept = []
    for token in tokens:
        if token.text in lexicon.VERBS or token.text in {",", "?", "too", "also", "as"} or token.text.endswith("ly"):
            break
        kept.append(token.text)
    return " ".join(kept)
