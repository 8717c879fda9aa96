"""The kinds of components that the page is made of."""

from __future__ import annotations

import gradio as gr


def stage(html: str) -> gr.HTML:
    """A stage's heading, and what it does; see `texts.stage`."""
    return gr.HTML(html, elem_classes="stage", padding=False)


def image(label: str, name: str) -> gr.Image:
    return gr.Image(
        label=label,
        elem_id=name,
        format="jpeg",
        interactive=False,
        buttons=["download", "fullscreen"],
    )


def wording(name: str | None = None, value: str = "") -> gr.HTML:
    return gr.HTML(value, elem_classes="words", elem_id=name, padding=False)


def gallery(label: str, name: str, size: str = "", preview: bool = True) -> gr.Gallery:
    return gr.Gallery(
        label=label,
        elem_id=name,
        elem_classes=["pictures", size],
        object_fit="contain",
        format="jpeg",
        buttons=["download", "fullscreen"],
        interactive=False,
        allow_preview=preview,
    )
