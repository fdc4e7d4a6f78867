"""Annotations derived from what is known to have been done to a clip: rater `synthetic`, never passed off as people's.

They stand in for experts in the demo, and serve as pre-annotations that an expert corrects.
"""

from __future__ import annotations

from schemas.annotation import Annotation, Attribute, Conversation
from schemas.draws import pick
from schemas.record import Distortion, GroundTruth
from stages.wording.taxonomy import degree_of_severity

RATER = "synthetic"

_OVERALL = (
    "The video exhibits {what} {when}.",
    "{What} can be seen {when}.",
    "Its main problem is {what}, visible {when}.",
)
_EFFECT = {
    "compression artifact": "fine texture is smeared and flat areas break into patches",
    "spatial blur": "edges are soft and fine detail is lost",
    "noise": "a grain that changes from frame to frame covers the picture, dark parts above all",
    "overexposure": "bright areas are washed out to white and their detail is lost",
    "underexposure": "the picture is dark and its shadows hold no detail",
    "stuttering": "the picture freezes and then jumps ahead",
    "flicker": "the brightness of the whole picture swings from frame to frame",
}
"""How a distortion shows, for the in-context depiction; a name that is not here gets no such depiction."""
_REMEDY = {
    "compression artifact": "Encode the video at a higher bit rate, or with a more efficient codec.",
    "spatial blur": "Set the focus on the subject before recording, and check it at full size.",
    "noise": "Add light, or use a longer exposure or a wider aperture, so that the gain can be lower.",
    "overexposure": "Lower the exposure until the brightest areas keep their detail.",
    "underexposure": "Add light or raise the exposure until the shadows show detail.",
    "stuttering": "Make sure that recording and playback keep up with the frame rate, so that no frame is dropped.",
    "flicker": "Match the shutter speed to the frequency of the lamps, or fix the exposure.",
}
"""What would help, for the extended conversation."""


def annotate(truth: GroundTruth, seed: int = 0) -> Annotation:
    """Put ground truth into the words of an annotation; wording is drawn from hash(seed, clip).

    Distortions without a severity are called noticeable. The level is left open: it follows from the clip's score.
    """
    attributes = [_attribute(distortion) for distortion in truth.distortions]
    main = next((d for d in truth.distortions if d.main), None)
    effect = _EFFECT.get(main.name) if main else None
    remedy = _REMEDY.get(main.name) if main else None
    return Annotation(
        id=f"{RATER}-{truth.clip}",
        clip=truth.clip,
        rater=RATER,
        attributes=attributes,
        overall=" ".join(_depiction(a, truth.clip, seed) for a in attributes) or "The video shows no distortion.",
        in_context=f"Over the whole frame, {effect}." if effect else "",
        conversations=(
            [Conversation(question=f"How could the {main.name} of this video be avoided?", answer=remedy)]
            if main and remedy
            else []
        ),
    )


def _attribute(distortion: Distortion) -> Attribute:
    return Attribute(
        name=distortion.name,
        degree="noticeable" if distortion.severity is None else degree_of_severity(distortion.severity),
        start=distortion.start,
        end=distortion.end,
        where="over the whole frame" if distortion.box is None else None,
    )


def _depiction(attribute: Attribute, clip: str, seed: int) -> str:
    what = f"{attribute.degree} {attribute.name}"
    when = "throughout" if attribute.start is None else f"from {attribute.start:.1f} s to {attribute.end:.1f} s"
    template = pick(_OVERALL, seed, clip, "overall", attribute.name)
    return template.format(what=what, What=what.capitalize(), when=when)
