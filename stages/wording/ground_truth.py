"""Annotations derived from what is known to have been done to a clip: rater `synthetic`, never passed off as people's.

They stand in for experts in the demo, and serve as pre-annotations that an expert corrects.
"""

from __future__ import annotations

import difflib

from schemas.annotation import Annotation, Attribute, Conversation
from schemas.draws import pick
from schemas.errors import DataError
from schemas.record import Distortion, GroundTruth
from stages.wording.taxonomy import MOTION, SPATIAL, degree_of_severity

RATER = "synthetic"
KNOWN = (*SPATIAL, *MOTION)

_OVERALL = (
    "The video exhibits {what} {when}.",
    "{What} can be seen {when}.",
    "A viewer notices {what} {when}.",
    "{What} affects the picture {when}.",
)
EFFECT = {
    "compression artifact": "fine texture is smeared and flat areas break into patches",
    "spatial blur": "edges are soft and fine detail is lost",
    "motion blur": "what moves leaves a smeared trail",
    "noise": "a grain that changes from frame to frame covers the picture, dark parts above all",
    "overexposure": "bright areas are washed out to white and their detail is lost",
    "underexposure": "the picture is dark and its shadows hold no detail",
    "low contrast": "light and dark areas differ little and the picture looks flat",
    "high contrast": "shadows turn to black and bright areas to white",
    "oversaturation": "colors are stronger than in the scene and run together",
    "desaturation": "colors are pale",
    "block effect": "the borders of square blocks show",
    "stuttering": "the picture freezes and then jumps ahead",
    "camera shake": "the whole picture jumps about from frame to frame",
    "flicker": "the brightness or the colors of the whole picture swing back and forth",
    "low frame rate": "motion goes in visible steps, since each picture stays for several frames",
    "quality switch": "the picture turns coarse and soft for a while and then is clear again",
    "interlacing": "the edges of what moves are torn line by line into combs",
}
"""How a distortion shows: for the in-context depiction, and for raters who are asked for it."""
_AVOID = (
    "How could the {name} of this video be avoided?",
    "What would help against the {name} if this video were made again?",
    "What method is recommended during reshooting to avoid the {name}?",
)
_REMEDY = {
    "compression artifact": "Encode the video at a higher bit rate, or with a more efficient codec.",
    "spatial blur": "Set the focus on the subject before recording, and check it at full size.",
    "motion blur": "Use a shorter exposure, or move the camera more slowly.",
    "noise": "Add light, or use a longer exposure or a wider aperture, so that the gain can be lower.",
    "overexposure": "Lower the exposure until the brightest areas keep their detail.",
    "underexposure": "Add light or raise the exposure until the shadows show detail.",
    "low contrast": "Avoid haze and light into the lens, and set the exposure to use the full range.",
    "high contrast": "Soften the light or brighten the shadows, and choose a flatter picture profile.",
    "oversaturation": "Lower the saturation of the picture profile.",
    "desaturation": "Check the white balance, and raise the saturation of the picture profile.",
    "block effect": "Encode the video at a higher bit rate, with the deblocking filter of the codec on.",
    "stuttering": "Make sure that recording and playback keep up with the frame rate, so that no frame is dropped.",
    "camera shake": "Put the camera on a tripod or a gimbal.",
    "flicker": "Match the shutter speed to the frequency of the lamps, or fix the exposure and the white balance.",
    "low frame rate": "Record and encode at a higher frame rate.",
    "quality switch": "Stream over a connection with more room, or let the player buffer more before it starts.",
    "interlacing": "Record in progressive mode, or deinterlace the video before it is encoded.",
}
"""What would help, for the extended conversation."""


def annotate(truth: GroundTruth, seed: int = 0) -> Annotation:
    """Put ground truth into the words of an annotation; wording is drawn from hash(seed, clip).

    A distortion without a severity is called noticeable. The level is left open: it follows from the clip's score.
    Raises DataError naming the field, for a name that the taxonomy lacks, an impossible severity, time or box.
    """
    attributes = [_attribute(distortion, f"distortions/{i}") for i, distortion in enumerate(truth.distortions)]
    main = next((i for i, distortion in enumerate(truth.distortions) if distortion.main), None)
    return Annotation(
        id=f"{RATER}-{truth.clip}",
        clip=truth.clip,
        rater=RATER,
        attributes=attributes,
        overall=" ".join(_depiction(a, truth.clip, seed) for a in attributes) or "The video shows no distortion.",
        in_context="" if main is None else _in_context(attributes[main]),
        conversations=[] if main is None else [_conversation(attributes[main].name, truth.clip, seed)],
    )


def _attribute(distortion: Distortion, field: str) -> Attribute:
    if distortion.name not in KNOWN:
        near = difflib.get_close_matches(distortion.name, KNOWN, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(KNOWN)}"
        raise DataError(f"{field}/name: the taxonomy has no {distortion.name!r}; {hint}")
    try:
        degree = "noticeable" if distortion.severity is None else degree_of_severity(distortion.severity)
    except ValueError as error:
        raise DataError(f"{field}/severity: {error}") from None
    try:
        return Attribute(
            name=distortion.name,
            degree=degree,
            start=distortion.start,
            end=distortion.end,
            where=_where(distortion, field),
        )
    except ValueError as error:
        raise DataError(f"{field}: {error}") from None


def _where(distortion: Distortion, field: str) -> str:
    """Put a box into words: the third of the frame, each way, that its middle lies in."""
    if distortion.box is None:
        return "over the whole frame"
    x, y, width, height = distortion.box
    if not (min(x, y) >= 0 and min(width, height) > 0 and max(x + width, y + height) <= 1 + 1e-9):
        raise DataError(f"{field}/box: x, y, width, height are fractions of the frame, not {list(distortion.box)}")
    if min(width, height) > 0.9:
        return "over the whole frame"
    rows = ("upper", "", "lower")[min(2, int(3 * (y + height / 2)))]
    columns = ("left", "", "right")[min(2, int(3 * (x + width / 2)))]
    if not rows and not columns:
        return "in the middle of the frame"
    return f"in the {' '.join(filter(None, (rows, columns)))} part of the frame"


def _when(attribute: Attribute) -> str:
    return "throughout" if attribute.start is None else f"from {attribute.start:.1f} s to {attribute.end:.1f} s"


def _depiction(attribute: Attribute, clip: str, seed: int) -> str:
    what = f"{attribute.degree} {attribute.name}"
    template = pick(_OVERALL, seed, clip, "overall", attribute.name)
    return template.format(what=what, What=what.capitalize(), when=_when(attribute))


def _in_context(attribute: Attribute) -> str:
    assert attribute.where is not None
    when = "" if attribute.start is None else f", {_when(attribute)}"
    return f"{attribute.where.capitalize()}{when}, {EFFECT[attribute.name]}."


def _conversation(name: str, clip: str, seed: int) -> Conversation:
    return Conversation(question=pick(_AVOID, seed, clip, "avoid").format(name=name), answer=_REMEDY[name])
