"""What a manifest says to people, in the words that the card and the report share."""

from __future__ import annotations

from schemas.manifest import Manifest
from schemas.pair import Acceptance

TERMS = {
    "redistribute": "pass it on",
    "modify": "pass on changed versions",
    "commercial": "use it commercially",
    "attribution": "must the sources be named",
    "share_alike": "must it be passed on under the same licence",
}
"""What each of the terms permits or asks for (`schemas.licence.Terms`)."""
ANSWER = {True: "yes", False: "no", None: "not known"}
TERMS_RULE = "What the terms of the sources permit, as far as they are known; where they are not, ask the set's owner."
SCALE_RULE = (
    "A score becomes u = (score - lo) / (hi - lo), clipped to 0 and 1; its level is as many steps above low as there "
    "are cuts 0.2, 0.4, 0.6, 0.8 at or below u."
)


def generators(manifest: Manifest) -> list[tuple[str, int, Acceptance | None]]:
    """List what made the text, most first: its name, how many samples, and what reviewers made of its pairs."""
    counts: dict[str, int] = {}
    for count in manifest.configs.values():
        for generator, n in count.generators.items():
            counts[generator] = counts.get(generator, 0) + n
    reviewed = {row.of: row for row in manifest.pairs.acceptance if row.pairs} if manifest.pairs else {}
    ranked = sorted(counts.items(), key=lambda of: (-of[1], of[0]))
    return [(generator, n, reviewed.get(generator)) for generator, n in ranked]


def limits(manifest: Manifest) -> list[str]:
    """Say what one must know before trusting a corpus; the remarks of the manifest are not among it."""
    sources = manifest.recipe.get("sources", [])
    synthetic = [source["name"] for source in sources if (source.get("scale") or {}).get("kind") == "synthetic"]
    told = []
    if synthetic:
        told.append(f"Scores of {', '.join(synthetic)} are synthetic: computed by a program, not given by people.")
    if any(scale.mode == "minmax" for scale in manifest.scales):
        told.append(
            "Levels by min-max depend on the extremes of a set: they say how a clip compares within its own set."
        )
    if manifest.pairs is not None and not manifest.pairs.acceptance:
        told.append("No person has reviewed the question-answer pairs; they passed the automatic checks alone.")
    if any(generator.startswith("llm:") for generator, _, _ in generators(manifest)):
        told.append("Part of the pairs was written by language models; the checks find most contradictions, not all.")
    if any(source.terms.redistribute is None for source in manifest.sources):
        told.append("Of some sources the terms are not known.")
    if manifest.transient:
        told.append(
            f"{manifest.transient:,} inputs are left out for a limit of the machine; another build may hold them."
        )
    return told
