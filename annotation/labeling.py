"""The labeling config of a project: what raters see and fill in, as Label Studio's XML.

One control a thing that is said of a clip; its name is a constant here, and import reads results by the same constants.
Keys are chords with Alt or Shift: a bare letter would answer for a rater who believes to be typing.
"""

from __future__ import annotations

import difflib
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from schemas.errors import CallError, DataError
from schemas.levels import LEVELS
from schemas.project import AttributeWord, ProjectRecipe
from stages.wording.ground_truth import EFFECT, KNOWN
from stages.wording.taxonomy import DEGREES

VIDEO = "video"
MOMENTS, DEGREE, WHEN, WHERE = "attribute", "degree", "when_text", "where_text"
"""A region on the timeline: its attribute, and what is said of it."""
THROUGHOUT, OVERALL, IN_CONTEXT = "throughout", "overall", "in_context"
ASKED, ANSWERED = "ext_question", "ext_answer"
LEVEL, SCORE = "level", "score"
QUESTION, ANSWER, VERDICT, REASON = "question", "answer", "verdict", "reason"
"""Controls of one pair in a review: the name, `_`, and the pair's index in the task."""
VERDICTS: dict[str, str] = {"accept": "accept", "accept with edits": "edit", "reject": "reject"}
"""What reviewers pick, and the verdict that it means."""
REASONS: tuple[str, ...] = (
    "contradicts expert",
    "not visible",
    "wrong time",
    "wrong place",
    "wrong degree",
    "bad language",
    "duplicate",
)

ATTRIBUTE_KEYS = "1234567890iopkgnjyuw"
DEGREE_KEYS = "zxcvbq"
TAKEN_KEYS = frozenset("adhlmr." + DEGREE_KEYS)
"""Keys that, with Alt, mean something in Label Studio 1.23 or pick a degree here."""
NO_KEY = "ctrl+alt+shift+f19"
"""For choices without a key: without this one they are given bare letters and digits."""
COLOURS = ("#8e44ad", "#2980b9", "#16a085", "#27ae60", "#d4930d", "#34495e", "#d35400", "#c0392b", "#7f8c8d", "#b03a78")
INDEX = "{{idx}}"

_STYLE = """
.vqa-row { display: flex; gap: 16px; align-items: flex-start; }
.vqa-left { flex: 0 0 56.3%; min-width: 0; position: sticky; top: 0; overflow: hidden auto;
max-height: calc(100vh - 112px); }
.vqa-right { flex: 1 1 0; min-width: 320px; }
.vqa-review .vqa-left { flex-basis: 42%; }
.vqa-box { border: 1px solid #d9d9d9; border-radius: 6px; padding: 4px 12px; margin-bottom: 8px; }
.vqa-source { border: 1px solid #d9d9d9; border-radius: 6px; padding: 4px 12px; max-height: 240px; overflow-y: auto; }
.vqa-score { display: flex; gap: 8px; align-items: center; }
.vqa-box h4 { margin: 4px 0 !important; }
.vqa-score h4 { font-size: 14px; font-weight: normal; }
.vqa-box .ant-form-item, .vqa-box [data-testid=textarea-regions] { margin-bottom: 4px !important; }
.vqa-box [data-testid=textarea-counts] { display: none; }
.vqa-depict .ant-radio-wrapper { margin-right: 0 !important; }
.vqa-review .lsf-hint { display: none; }
.vqa-box [data-testid=textarea-submit-section] { justify-content: flex-end; }
"""


@dataclass(frozen=True)
class Control:
    """One control of a config: its tag in lower case, which object it is of, and the values it takes, if it has any.

    Values of a taxonomy are paths. `per_region` = it belongs to a region of the timeline; `repeated` = there is one for
    each pair, and the name holds the place of the index; `limits` are the ends of a number.
    """

    name: str
    tag: str
    of: str
    values: frozenset[tuple[str, ...]] = frozenset()
    per_region: bool = False
    repeated: bool = False
    limits: tuple[float, float] | None = None


def attributes_of(recipe: ProjectRecipe) -> list[AttributeWord]:
    """Give the attributes that are asked for, each with its key where one is left for it.

    Without any in the recipe they are the taxonomy's. Raises CallError for a key that means something else.
    """
    words = recipe.attributes or [AttributeWord(name=name, hint=EFFECT[name]) for name in KNOWN]
    given = {word.key.lower() for word in words if word.key}
    for key in sorted(given & TAKEN_KEYS):
        raise CallError(f"attributes: the key {key!r} means something else; free are {', '.join(ATTRIBUTE_KEYS)}")
    free = (key for key in ATTRIBUTE_KEYS if key not in given)
    return [
        AttributeWord(
            name=word.name,
            hint=word.hint,
            key=word.key.lower() if word.key else next(free, None),
            over=word.over,
        )
        for word in words
    ]


def degrees_of(recipe: ProjectRecipe) -> Sequence[str]:
    """Give the degrees, weakest first."""
    return recipe.degrees or DEGREES


def reasons_of(recipe: ProjectRecipe) -> Sequence[str]:
    """Give the reasons for which a pair is rejected."""
    return recipe.reasons or REASONS


def labeling_config(recipe: ProjectRecipe) -> str:
    """Write the config of a project. The same recipe gives the same text."""
    lines = _review(recipe) if recipe.kind == "review" else _depict(recipe)
    return "\n".join(lines) + "\n"


def controls_of(config: str) -> dict[str, Control]:
    """Read the controls of a config, by name. Raises DataError for what is no XML."""
    found: dict[str, Control] = {}
    try:
        root = ET.fromstring(config)  # noqa: S314  # it comes from create
    except ET.ParseError as error:
        raise DataError(f"the labeling config is no XML: {error}") from None
    for element, repeated in _walk(root, repeated=False):
        if (of := element.get("toName")) is None:
            continue
        name = element.get("name", "")
        least, most = element.get("min"), element.get("max")
        found[name] = Control(
            name=name,
            tag=element.tag.lower(),
            of=of,
            values=frozenset(_paths(element)),
            per_region=element.get("perRegion") == "true",
            repeated=repeated,
            limits=(float(least), float(most)) if least is not None and most is not None else None,
        )
    return found


def nearest(word: str, known: Sequence[str]) -> str:
    """Say which of `known` may have been meant, as the end of a message."""
    near = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _walk(element: ET.Element, *, repeated: bool) -> Iterator[tuple[ET.Element, bool]]:
    yield element, repeated
    for inner in element:
        yield from _walk(inner, repeated=repeated or element.tag == "Repeater")


def _paths(element: ET.Element) -> Iterator[tuple[str, ...]]:
    """Give the values below a control; of a taxonomy only its leaves can be picked."""
    for inner in element:
        if inner.tag not in {"Choice", "Label"}:
            continue
        below = list(_paths(inner))
        value = inner.get("value", "")
        yield from [(value, *path) for path in below] or [(value,)]


def _open(tag: str, **attributes: str | None) -> str:
    told = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items() if value is not None)
    return f"<{tag}{told}>"


def _tag(tag: str, **attributes: str | None) -> str:
    return _open(tag, **attributes).removesuffix(">") + "/>"


def _text(name: str, rows: int, placeholder: str = "", **more: str) -> str:
    return _tag(
        "TextArea",
        name=name,
        toName=VIDEO,
        rows=str(rows),
        maxSubmissions="1",
        editable="true",
        placeholder=placeholder or None,
        **more,
    )


def _header(text: str) -> str:
    return _tag("Header", value=text, size="5")


def _video(height: int, timeline: int) -> str:
    return _tag(
        "Video",
        name=VIDEO,
        value="$video_url",
        frameRate="$fps",
        height=str(height),
        timelineHeight=str(timeline),
        minPlaybackSpeed="0.25",
    )


def _choices(name: str, values: Sequence[tuple[str, str | None]], *, choice: str = "single-radio", **more: str) -> str:
    inner = "".join(_tag("Choice", value=value, hotkey=key) for value, key in values)
    start = _open("Choices", name=name, toName=VIDEO, choice=choice, showInline="true", **more)
    return f"{start}{inner}</Choices>"


def _page(kind: str, left: Sequence[str], right: Sequence[str]) -> list[str]:
    return [
        "<View>",
        f"<Style>{_STYLE}</Style>",
        _open("View", className=f"vqa-row vqa-{kind}"),
        '<View className="vqa-left">',
        *left,
        "</View>",
        '<View className="vqa-right">',
        *right,
        "</View>",
        "</View>",
        "</View>",
    ]


def _box(*inside: str, **more: str) -> list[str]:
    return [_open("View", className="vqa-box", **more), *inside, "</View>"]


def _depict(recipe: ProjectRecipe) -> list[str]:
    attributes, degrees = attributes_of(recipe), degrees_of(recipe)
    moments = [word for word in attributes if word.over != "whole"]
    whole = [word for word in attributes if word.over != "moments"]
    keys = [f"alt+{key}" for key in DEGREE_KEYS]
    left, right = [_video(350, 64) if moments else _video(480, 0)], []
    if moments:
        left += [
            # A click on a problem while a moment is picked would rename the moment, so problems are hidden then.
            _open("View", visibleWhen="no-region-selected"),
            _header("Moments: pick a problem, drag over the timeline, then click what you drew"),
            _open("TimelineLabels", name=MOMENTS, toName=VIDEO),
            *(
                _tag(
                    "Label",
                    value=word.name,
                    background=COLOURS[index % len(COLOURS)],
                    hotkey=f"alt+{word.key}" if word.key else None,
                    hint=word.hint or None,
                )
                for index, word in enumerate(moments)
            ),
            "</TimelineLabels>",
            "</View>",
            _open("View", visibleWhen="region-selected", whenTagName=MOMENTS),
            _header("Describe the picked moment on the right, then click its name by the timeline to let it go"),
            "</View>",
        ]
        right += _box(
            _header("The picked moment"),
            _choices(
                DEGREE,
                [(degree, keys[index] if index < len(keys) else None) for index, degree in enumerate(degrees)],
                perRegion="true",
                required="true",
                requiredMessage="Say of every moment how strong it is",
            ),
            _text(WHEN, 1, "When, in words: as the person in the middle jumps", perRegion="true"),
            _text(WHERE, 1, "Where in the frame: on the left side", perRegion="true"),
            visibleWhen="region-selected",
            whenTagName=MOMENTS,
        )
    if whole:
        inner = "".join(_tag("Choice", value=degree) for degree in degrees)
        right += _box(
            _header("Problems all through the video"),
            _open(
                "Taxonomy",
                name=THROUGHOUT,
                toName=VIDEO,
                leafsOnly="true",
                showFullPath="true",
                pathSeparator=": ",
                placeholder="click to name one",
                minWidth="320px",
                dropdownWidth="320px",
            ),
            *(f"{_open('Choice', value=word.name, hint=word.hint or None)}{inner}</Choice>" for word in whole),
            "</Taxonomy>",
        )
    right += _box(
        _header("Overall depiction"),
        _text(
            OVERALL,
            3,
            "The problems of the whole video, how strong they are and when",
            required="true",
            requiredMessage="Write the overall depiction",
        ),
        _header("In-context depiction"),
        _text(IN_CONTEXT, 2, "What a problem does to what is shown, and where"),
        _header("Extended conversation"),
        _text(ASKED, 1, "A question, such as how a problem could be avoided"),
        _text(ANSWERED, 2, "Its answer"),
    )
    right += _box(
        _header("Overall quality"),
        _choices(
            LEVEL,
            [(level, f"shift+{index + 1}") for index, level in enumerate(LEVELS)],
            required="true",
            requiredMessage="Pick the overall quality",
        ),
        '<View className="vqa-score">',
        _tag("Number", name=SCORE, toName=VIDEO, min="0", max="100", step="1"),
        _header("score, from 0 (worst) to 100 (best)"),
        "</View>",
    )
    return _page("depict", left, right)


def _review(recipe: ProjectRecipe) -> list[str]:
    def named(name: str) -> str:
        return f"{name}_{INDEX}"

    left = [_video(380, 0), '<View className="vqa-source"><Text name="source" value="$source_depiction"/></View>']
    right = [
        _open("Repeater", on="$pairs", indexFlag=INDEX, mode="list"),
        *_box(
            _header(f"$pairs[{INDEX}].title"),
            _text(named(QUESTION), 1),
            _text(named(ANSWER), 3),
            _choices(
                named(VERDICT),
                [(value, NO_KEY) for value in VERDICTS],
                required="true",
                requiredMessage="Judge every pair",
            ),
            _open(
                "View",
                visibleWhen="choice-selected",
                whenTagName=named(VERDICT),
                whenChoiceValue="reject",
            ),
            _choices(
                named(REASON),
                [(reason, NO_KEY) for reason in reasons_of(recipe)],
                choice="multiple",
                required="true",
                requiredMessage="Say why a pair is rejected",
            ),
            "</View>",
        ),
        "</Repeater>",
    ]
    return _page("review", left, right)
