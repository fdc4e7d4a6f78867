"""The page: a tab to score a clip, one to talk about it, one to compare two; and the same by name, for programs."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr  # type: ignore[import-not-found,unused-ignore]  # an extra of its own
from gradio_client.utils import is_http_url_like  # type: ignore[import-not-found,unused-ignore]  # as above

from dataset_builder.video import CLIP_SUFFIXES
from schemas.errors import CallError, DataError
from schemas.sample import Turn
from training.inputs.feeds import Feed
from training.serving.asked import COMPARISON, Asked, Scored, seconds_of_key_frames

MODEL = "model"
"""Events of this name wait for each other: the model answers one question at a time."""
MOST_WAITING = 64
SWEPT, KEPT = 60, 3600
"""Seconds between looking for files to delete, and how old these are: uploads, and pictures of key frames."""
MOST_PICTURES = 60
"""Key frames that are shown; the model sees all."""
QUESTION = "How is the quality of this video, and which distortions harm it?"
CSS = """
.vqa2-score {padding: 0.25rem}
.vqa2-score .number {font-size: 2.5rem; font-weight: 600; line-height: 1.1; font-variant-numeric: tabular-nums}
.vqa2-score dl {display: grid; grid-template-columns: max-content 1fr 4.5ch; gap: 0.35rem 0.75rem; margin: 0.75rem 0 0}
.vqa2-score dd {margin: 0; display: contents; font-variant-numeric: tabular-nums}
.vqa2-score .track {background: var(--border-color-primary); border-radius: 4px; align-self: center; height: 0.9rem}
.vqa2-score .bar {background: var(--color-accent); border-radius: 4px; height: 100%; min-width: 1px}
.vqa2-score .percent {text-align: right}
.vqa2-frames .grid-wrap {padding-top: 2rem; min-height: 0}
.vqa2-frames .grid-container {grid-template-columns: repeat(auto-fill, minmax(88px, 1fr)) !important}
"""


def clip_of(label: str, name: str) -> Any:
    """Make the place of a video or image to upload; it fetches nothing from an address that a program sends."""
    clip = gr.File(label=label, file_types=["video", "image", *CLIP_SUFFIXES], height=140, elem_id=name)
    move = clip.async_move_resource_to_block_cache

    async def moved(file: str | Path | None) -> str | None:
        if file is not None and is_http_url_like(str(file)):
            raise gr.Error("Upload the file itself: nothing is fetched from an address.", print_exception=False)
        place: str | None = await move(file)
        return place

    # Gradio writes a file beside the module of every class that is made of one of its own, so this is none.
    clip.async_move_resource_to_block_cache = moved
    return clip


def page(asked: Asked, name: str) -> Any:
    """Make the page of a model that is called `name`."""
    with gr.Blocks(title=f"{name}: video quality", analytics_enabled=False, delete_cache=(SWEPT, KEPT)) as blocks:
        gr.Markdown(
            f"# Video quality\n\nModel `{name.replace('`', '')}`. Clips are read on this machine and go nowhere."
        )
        _score_tab(asked)
        _chat_tab(asked)
        _compare_tab(asked)
    blocks.queue(max_size=MOST_WAITING, default_concurrency_limit=1, api_open=False)
    return blocks


def theme() -> Any:
    """Give colours and fonts; the fonts are the system's: none is fetched."""
    fonts = {"font": ["ui-sans-serif", "system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    return gr.themes.Default(primary_hue="blue", secondary_hue="blue", neutral_hue="slate", **fonts)


def _score_tab(asked: Asked) -> None:
    def shown(clip: str | None) -> tuple[str, list[tuple[Any, str]]]:
        with _told():
            feed = asked.read(_given(clip))
            return _bars(asked.score(feed)), _pictures(feed)

    def score(clip: str) -> dict[str, Any]:
        with _told():
            return _plain(asked.score(asked.read(_given(clip))))

    with gr.Tab("Score", id="score"):
        with gr.Row():
            with gr.Column():
                clip = clip_of("Video or image", "score-clip")
                button = gr.Button("Score", variant="primary", elem_id="score-button")
            with gr.Column():
                result = gr.HTML(_nothing("The score will stand here."), elem_id="score-result", min_height=220)
        frames = _gallery("Key frames that the model saw", "score-frames")
        button.click(shown, [clip], [result, frames], **_private("full", [result]))
        clip.clear(None, None, [result, frames], js=_put(_nothing(""), None), api_visibility="private")
        _endpoint(score, [clip], "Score a video or image from 0 to 1, with the probability of each level word.")


def _chat_tab(asked: Asked) -> None:
    def said(message: str, clip: str | None, talk: list[dict[str, Any]]) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
        asks_next: Any = ""  # once; after that somebody may write there while the answer comes
        turns = [*talk, {"role": "user", "content": message}]
        with _told():
            question, since = _turns(turns)
            for text in asked.talk([asked.read(_given(clip))], question, since):
                yield asks_next, [*turns, {"role": "assistant", "content": text}]
                asks_next = gr.skip()

    def ask(clip: str, question: str) -> Iterator[str]:
        with _told():
            yield from asked.talk([asked.read(_given(clip))], question)

    with gr.Tab("Chat", id="chat"), gr.Row():
        with gr.Column(scale=1):
            clip = clip_of("Video or image to talk about", "chat-clip")
        with gr.Column(scale=2):
            talk = gr.Chatbot(
                label="Conversation",
                elem_id="chat-talk",
                height=420,
                buttons=["copy"],
                render_markdown=False,
                feedback_options=None,
                placeholder="Upload a clip, then ask about it.",
            )
            message = gr.Textbox(
                label="Question", value=QUESTION, elem_id="chat-question", lines=1, max_lines=4, submit_btn=False
            )
            with gr.Row():
                button = gr.Button("Ask", variant="primary", elem_id="chat-button")
                stop = gr.Button("Stop", elem_id="chat-stop")
                clear = gr.Button("Start again", elem_id="chat-clear")
        running = gr.on(
            [button.click, message.submit],
            said,
            [message, clip, talk],
            [message, talk],
            **_private("full", [talk]),
        )
        stop.click(None, None, None, cancels=[running], queue=False, api_visibility="private")
        # Another clip is another conversation.
        gr.on(
            [clear.click, clip.upload, clip.clear],
            None,
            None,
            talk,
            js=_put([]),
            cancels=[running],
            api_visibility="private",
        )
        asks = gr.Textbox(visible=False)
        _endpoint(ask, [clip, asks], "Ask about a video or image; the answer comes as it is written.")


def _compare_tab(asked: Asked) -> None:
    def shown(first: str | None, second: str | None, question: str) -> Iterator[tuple[Any, ...]]:
        with _told():
            feeds = [asked.read(_given(first, "the first clip")), asked.read(_given(second, "the second clip"))]
            beside = [*(_bars(asked.score(feed)) for feed in feeds), *map(_pictures, feeds)]
            yield (*beside, "")
            for text in asked.talk(feeds, question):
                yield (*(gr.skip() for _ in beside), text)

    def compare(first: str, second: str, question: str = COMPARISON) -> dict[str, Any]:
        with _told():
            feeds = [asked.read(_given(first)), asked.read(_given(second))]
            scores = [_plain(asked.score(feed)) for feed in feeds]
            return {"answer": list(asked.talk(feeds, question))[-1], "first": scores[0], "second": scores[1]}

    with gr.Tab("Compare", id="compare"):
        clips, results, frames = [], [], []
        with gr.Row():
            for which in ("first", "second"):
                with gr.Column(min_width=280):
                    clips.append(clip_of(f"The {which} clip", f"compare-{which}"))
                    results.append(gr.HTML(elem_id=f"compare-{which}-result"))
                    frames.append(_gallery(f"Key frames of the {which} clip", f"compare-{which}-frames"))
        question = gr.Textbox(label="Question", value=COMPARISON, elem_id="compare-question", max_lines=4)
        button = gr.Button("Compare", variant="primary", elem_id="compare-button")
        answer = gr.Textbox(label="Answer", elem_id="compare-answer", lines=3, max_lines=12, interactive=False)
        outputs = [*results, *frames, answer]
        gr.on([button.click, question.submit], shown, [*clips, question], outputs, **_private("full", [answer]))
        _endpoint(compare, [*clips, question], "Ask about two videos, or two images, and score both.")


def _endpoint(answer: Any, inputs: list[Any], described: str) -> None:
    """Let programs call `answer` by its name; on the page nothing of it is to be seen."""
    gr.Button(visible=False).click(
        answer,
        inputs,
        gr.JSON(visible=False) if answer.__name__ != "ask" else gr.Textbox(visible=False),
        api_name=answer.__name__,
        api_description=described,
        concurrency_id=MODEL,
        concurrency_limit=1,
    )


def _private(progress: str, on: list[Any]) -> dict[str, Any]:
    """Give what the page's own questions share: their place in the line of the model, shown on one part of the page."""
    return {
        "api_visibility": "private",
        "concurrency_id": MODEL,
        "concurrency_limit": 1,
        "show_progress": progress,
        "show_progress_on": on,
    }


@contextmanager
def _told() -> Iterator[None]:
    """Show what is wrong with a clip or question as a message that stays until it is closed."""
    try:
        yield
    except (CallError, DataError) as error:
        raise gr.Error(
            _sentence(str(error)), duration=None, title="This cannot be done", print_exception=False
        ) from None


def _sentence(text: str) -> str:
    return html.escape(text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else "."))


def _given(clip: str | None, which: str = "a clip") -> Path:
    if clip is None:
        raise CallError(f"upload {which} first")
    if not Path(clip).is_file():
        raise CallError("the clip was deleted, as it lay here for an hour: upload it again")
    return Path(clip)


def _turns(talk: Sequence[dict[str, Any]]) -> tuple[str, list[Turn]]:
    """Give the first question of a conversation, and what was said since."""
    first, *since = [Turn(role=turn["role"], text=_text(turn["content"])) for turn in talk]
    return first.text, since


def _text(content: Any) -> str:
    """Give the words of a message, which the page hands back in pieces."""
    if isinstance(content, str):
        return content
    return "".join(piece["text"] for piece in content if piece.get("type") == "text")


def _plain(scored: Scored) -> dict[str, Any]:
    return {"score": scored.score, "level": scored.word, "levels": scored.levels}


def _put(*values: Any) -> str:
    """Put values where they are shown, by the browser alone: told by the server they might come after what is newer."""
    return f"() => {json.dumps(values)}"


def _bars(scored: Scored) -> str:
    """Draw a score, and a bar for each level, best first."""
    rows = "".join(
        f'<dt>{html.escape(level)}</dt><dd><span class="track" aria-hidden="true"><span class="bar" '
        f'style="display:block;width:{p:.1%}"></span></span><span class="percent">{p:.0%}</span></dd>'
        for level, p in reversed(scored.levels.items())
    )
    return (
        f'<div class="vqa2-score" role="status"><span class="number">{scored.score:.3f}</span> '
        f'<span class="of">from 0 to 1; most likely <b class="level">{html.escape(scored.word)}</b></span>'
        f"<dl>{rows}</dl></div>"
    )


def _nothing(text: str) -> str:
    return f'<div class="vqa2-score"><span class="of">{text}</span></div>'


def _gallery(label: str, name: str) -> Any:
    return gr.Gallery(
        label=label,
        elem_id=name,
        elem_classes="vqa2-frames",
        height="auto",
        object_fit="contain",
        interactive=False,
        buttons=["fullscreen"],
        format="png",
    )


def _pictures(feed: Feed) -> list[tuple[Any, str]]:
    """Give the key frames as the model sees them, with their times, evenly picked where there are many."""
    step = -(-len(feed.pictures) // MOST_PICTURES)
    seconds = seconds_of_key_frames(feed)
    shown = range(0, len(feed.pictures), step)
    caption = "" if feed.kind == "image" else "{:.1f} s"
    return [(feed.pictures[i].permute(1, 2, 0).numpy(), caption.format(seconds[i])) for i in shown]
