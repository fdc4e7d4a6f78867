"""Streaming sessions rendered from clips, as records with their stalls: the raw material of stage 2 for streaming."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dataset_builder.clip_stages import media_of
from dataset_builder.encode import CARRIER
from dataset_builder.gathering.rows import stall_problem
from dataset_builder.gathering.state import Gathered, Run, ToRender
from dataset_builder.streaming.render import Plan, SessionError, plan_of
from dataset_builder.versions import version_stage, version_work
from schemas.manifest import Quarantined
from schemas.record import Origin, Record, Stall


def add_sessions(gathered: Gathered, run: Run, folder: Path) -> set[str]:
    """Render the sessions that were gathered into `folder` and add their records; gives the ids of the clips played.

    What cannot be rendered goes to quarantine.
    """
    planned: list[tuple[ToRender, Plan, Origin]] = []
    for wanted in gathered.sessions:
        played = gathered.records.get(wanted.played)
        try:
            if played is None:
                raise SessionError("its clip is in quarantine")
            plan = _plan(wanted, played)
        except SessionError as error:
            _refuse(gathered, wanted, str(error))
            continue
        origin = Origin(
            record_id=played.id,
            sha256=played.media.sha256,
            chain=[],
            seed=run.recipe.seed,
            encoder=CARRIER,
            session=wanted.session,
        )
        planned.append((wanted, plan, origin))
    plugins = run.means.plugins
    work = [
        version_work(
            wanted.id,
            gathered.files[wanted.played],
            gathered.records[wanted.played],
            origin,
            folder=folder,
            plugins=plugins,
        )
        for wanted, _, origin in planned
    ]
    stage = version_stage("sessions", plugins)
    outcomes = run.stage("rendering sessions", stage, work, run.work) if work else {}
    for wanted, plan, origin in planned:
        outcome = outcomes[wanted.id]
        if outcome.result is None:
            reason = f"the session cannot be rendered: {outcome.error}"
            _refuse(gathered, wanted, reason, transient=outcome.transient)
            continue
        media = media_of(outcome.result["media"], outcome.result["path"])
        if problem := stall_problem(replace(wanted.row, stalls=plan.stalls), media):
            _refuse(gathered, wanted, problem)
            continue
        played = gathered.records[wanted.played]
        record = Record(
            id=wanted.id,
            source=played.source,
            licence=played.licence,
            terms=played.terms,
            group=wanted.group,
            split=wanted.split,
            media=media,
            score=wanted.row.score,
            stalls=plan.stalls,
            origin=origin,
        )
        gathered.records[record.id] = record
        gathered.files[record.id] = folder / media.path
        gathered.rows[record.id] = wanted.row.at
    return {wanted.played for wanted in gathered.sessions}


def _plan(wanted: ToRender, played: Record) -> Plan:
    media, said = played.media, wanted.row.stalls
    if media.kind == "image":
        raise SessionError("a still image is not streamed")
    if media.variable_frame_rate:
        raise SessionError("the frame rate varies, so no frame can be said to stall: re-encode at a constant rate")
    plan = plan_of(wanted.session, media.frames, media.fps)
    if said is not None and not _alike(said, plan):
        raise SessionError("the stalls of its row are not those of its session")
    return plan


def _alike(said: list[Stall], plan: Plan) -> bool:
    """Compare stalls, which may be off by one frame and the rounding of the numbers that tell them."""
    slack = 1.01 / plan.fps
    return len(said) == len(plan.stalls) and all(
        abs(a.start - b.start) <= slack and abs(a.duration - b.duration) <= slack
        for a, b in zip(said, plan.stalls, strict=True)
    )


def _refuse(gathered: Gathered, wanted: ToRender, reason: str, *, transient: bool = False) -> None:
    gathered.quarantine.append(
        Quarantined(
            source=wanted.played.partition("/")[0],
            file=wanted.row.table,
            row=wanted.row.row,
            field=None,
            reason=f"{wanted.row.clip}: {reason}",
            transient=transient,
        )
    )
