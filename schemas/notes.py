"""Notes of a corpus: how far its raters agree and what its language models cost, as its card and report show them."""

from __future__ import annotations

import msgspec


class AgreementNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How far the raters of one annotation project agree; no line of any single rater.

    `raters` were asked and `excluded` of them are not in the corpus; `annotations` are of the others. `level_alpha` is
    Krippendorff's ordinal alpha of their levels with its 95 % interval, `level_kappa` the quadratically weighted one,
    `score_icc` ICC(1) of scores, `attributes_f1` how alike the sets of attributes are that they name. None = no data.
    """

    source: str
    project: str
    kind: str
    raters: int
    excluded: int
    annotations: int
    level_alpha: float | None = None
    level_alpha_95: tuple[float, float] | None = None
    level_kappa: float | None = None
    score_icc: float | None = None
    attributes_f1: float | None = None


class LedgerNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was asked of language models for the pairs of one source, and what it cost.

    `spent` is what answers cost in dollars, by the tokens that the server told, as decimal text; `held` what may have
    been billed for answers that were lost. `models` counts requests by model.
    """

    source: str
    requests: int
    answered: int
    input_tokens: int
    output_tokens: int
    spent: str
    held: str
    models: dict[str, int]


class Notes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What `notes/notes.json` of a corpus holds."""

    agreement: list[AgreementNote] = []
    ledgers: list[LedgerNote] = []
