"""Attributes told by two words that stand apart: what is spoken of, and what is said of it.

"The colors are just a tiny bit weak" names no attribute; colors that are weak do. Data only: to teach a word, add it to
the line of its subject.
"""

from __future__ import annotations

from collections.abc import Sequence

from stages.claims import lexicon
from stages.claims.lexicon import Sense
from stages.claims.words import Token, listed

_BLUR = Sense(("spatial blur",), ("motion blur", "compression artifact", "quality switch", "low resolution"))
_LOST = Sense(_BLUR.covers, (*_BLUR.near, "overexposure", "underexposure", "noise", "low contrast", "block effect"))
_SATURATION = ("desaturation", "oversaturation")
_FLICKER = Sense(("flicker",), ("white balance flicker",))
_UNEVEN = Sense(("stuttering", "low frame rate"), ("camera shake",))
_SHAKE = Sense(("camera shake",), ("stuttering",))
_SWITCH = Sense(("quality switch",), ("compression artifact", "spatial blur", "block effect", "stuttering"))

_WANDERS = """
    flip flips flipping alternate alternates alternating shift shifts shifting wander wanders wandering waver wavers
    wavering swing swings swinging fluctuate fluctuates fluctuating oscillate oscillates oscillating vary varies varying
    jump jumps jumping pulse pulses pulsing throb throbs blink blinks blinking unstable inconsistent restless
    wobble wobbles cycle cycles dance dances hop hops change changes changing unsteady
"""
_CONSTANT = """
    constant consistent same unchanged unchanging put steady stable identical uniform unvarying unwavering stationary
    even
"""
_LINES: tuple[tuple[str, tuple[tuple[Sense, str], ...]], ...] = (
    (
        "color colors colour colours hue hues palette saturation tint tints coloring",
        (
            (
                Sense(("desaturation",), ("low contrast", "overexposure")),
                """
                    weak weaker gone missing dull faint feeble thin lifeless drain drained fade faded fading lost lose
                    loses absent disappear disappeared vanish vanished sapped subdued understated muted washed tired
                    sickly poor gray grey bleak timid anemic wan bled starved evaporated leached pale paler wishy
                    insipid lackluster bland scarce lacking lack lacks
                """,
            ),
            (
                Sense(("oversaturation",), ("high contrast",)),
                """
                    loud intense scream screams screaming shout shouts shouting glow glows glowing burn burns excessive
                    exaggerated garish violent hurt hurts overdone overblown overcooked pushed cranked hysterical
                    aggressive exploding bleeds excess
                """,
            ),
            (_FLICKER, _WANDERS),
            (Sense(("flicker",), (), good=True), _CONSTANT),
            (
                Sense(_SATURATION, (), good=True),
                "natural lifelike realistic faithful accurate believable perfect true truthful",
            ),
        ),
    ),
    (
        "light lights lighting brightness luminance exposure illumination",
        (
            (_FLICKER, _WANDERS),
            (Sense(("underexposure",), ("low contrast",)), "scarce insufficient lacking missing gone inadequate"),
            (Sense(("overexposure",), ("high contrast",)), "blinding excessive overpowering"),
            (Sense(("flicker",), (), good=True), _CONSTANT),
            (
                Sense(("overexposure", "underexposure"), (), good=True),
                "correct balanced right accurate perfect ideal",
            ),
        ),
    ),
    (
        "balance",
        (
            (_FLICKER, f"{_WANDERS} hunt hunts hunting drift drifts decide"),
            (Sense(("flicker",), (), good=True), _CONSTANT),
        ),
    ),
    (
        "contrast",
        (
            (
                Sense(("low contrast",), ("desaturation", "underexposure", "overexposure")),
                """
                    gone lacking missing thin feeble lost absent lack lacks poor weak low lower insufficient flat
                    flattened
                    limp lackluster starved faint reduced
                """,
            ),
            (
                Sense(("high contrast",), ("overexposure", "underexposure")),
                "high higher "
                "harsh excessive brutal fierce exaggerated violent aggressive overdone stark pushed boosted "
                "cranked strong",
            ),
            (
                Sense(("low contrast", "high contrast"), (), good=True),
                "balanced natural pleasing perfect healthy ideal normal right correct",
            ),
        ),
    ),
    (
        "focus",
        (
            (
                _BLUR,
                "off missed misses miss lost wrong gone hunts hunting drifts slips slipped shot poor bad "
                "wanders lacking",
            ),
            (
                Sense(("spatial blur",), (), good=True),
                "perfect spot accurate nailed nail exact impeccable precise correct right good",
            ),
        ),
    ),
    (
        "edges outlines contours lines details detail text lettering letters writing features texture textures",
        (
            (
                _LOST,
                """
                    dissolve dissolves melt melts melted melting vague lost dissolved disappear disappears vanish
                    vanishes
                    unreadable illegible gone run smudged woolly mush mushy indistinct
                """,
            ),
            (Sense(("spatial blur", "motion blur"), (), good=True), "crisp sharp razor"),
        ),
    ),
    (
        "motion movement movements playback action animation gait",
        (
            (
                _UNEVEN,
                """
                    break breaks halt halts stop stops stick sticks catch catches hang hangs jump jumps skip skips
                    hop hops
                    uneven hesitate hesitates hesitant falter falters stumble stumbles interrupted ragged broken bumpy
                    disjointed fitful limp limps hobbles trips jumpy irregular
                """,
            ),
            (
                Sense(("stuttering", "low frame rate"), (), good=True),
                "even continuous flow flows flowing unbroken liquid natural uninterrupted graceful",
            ),
        ),
    ),
    (
        "camera frame framing shot operator cameraman camerawork tripod horizon picture footage recording clip",
        (
            (
                _SHAKE,
                """
                    jerk jerks jerking bump bumps bumping tremble trembles trembling lurch lurches lurching bob
                    bobs bobbing
                    swing swings swinging rock rocks jiggle jiggles jiggling quiver quivers quivering twitch
                    twitches hop
                    hops hopping rattle rattles rattling judders lurch staggers staggering bouncing bounces bounce
                    jolting jolts jolted jogging sways swaying
                """,
            ),
            (Sense(("camera shake",), (), good=True), "motionless locked anchored rooted bolted immobile unmoving"),
        ),
    ),
    (
        "stream quality resolution bitrate definition rendition",
        (
            (
                _SWITCH,
                """
                    dip dips drop drops collapse collapses fall falls plunge plunges plummet plummets crumble
                    crumbles sink
                    sinks nosedive nosedives deteriorate deteriorates worsen worsens tank tanks crash crashes slump
                    slumps
                    tumble tumbles switch switches pieces degrade degrades plummeted collapsed dropped
                """,
            ),
            (
                Sense(("quality switch",), (), good=True),
                "stable steady constant consistent same unchanged keep keeps kept hold holds held maintain "
                "maintains maintained even",
            ),
        ),
    ),
)
_PAIRED: dict[str, dict[str, Sense]] = {}
for _subjects, _said in _LINES:
    _meanings = {word: sense for sense, words in reversed(_said) for word in words.split()}
    for _subject in _subjects.split():
        _PAIRED[_subject] = _meanings
_REACH = 7
_PREPOSITIONS = listed("in on of at under by around from behind over across near inside with to")
_DETERMINERS = listed("the a an his her this that these those their its my our your who which")
_SCALES = listed("bit tiny little touch tad shade lot trifle same wee great good smidgen fraction whole hint")
_ENDS = lexicon.BREAKS | listed(", and or if when so than as like what how")


def paired(tokens: Sequence[Token], taken: frozenset[int]) -> list[tuple[int, Sense]]:
    """Give each word that says something of its subject, as its index; those `taken` by phrases already are left."""
    found: dict[int, Sense] = {}
    for index, token in enumerate(tokens):
        meanings = _PAIRED.get(token.text)
        if meanings is None:
            continue
        before = index - 1
        if index > 2 and tokens[before].text in _DETERMINERS and tokens[index - 2].text in lexicon.COPULAS:
            before = index - 3  # "how stable is the stream"
        if before >= 0 and before not in taken and (sense := meanings.get(tokens[before].text)):
            found.setdefault(before, sense)
        for at in range(index + 1, min(index + 1 + _REACH, len(tokens))):
            text = tokens[at].text
            if text in _PAIRED and at - index <= 2 and tokens[at - 1].text != "of":
                break
            if text in _ENDS and not (text == "and" and at == index + 1):
                break
            if text in _DETERMINERS and not _goes_on(tokens, at):
                break
            if at in taken:
                break
            if sense := meanings.get(text):
                found.setdefault(at, sense)
                break
    return sorted(found.items())


def _goes_on(tokens: Sequence[Token], at: int) -> bool:
    """Whether a determiner opens no new subject: "in the sky", "are a mess", "a bit", "the same"."""
    before = tokens[at - 1].text
    after = tokens[at + 1].text if at + 1 < len(tokens) else ""
    if tokens[at].text in {"a", "the"} and (after in _SCALES or before in lexicon.VERBS):
        return True
    return before in _PREPOSITIONS
