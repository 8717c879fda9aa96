"""The components that take a result away from the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import gradio as gr

if TYPE_CHECKING:
    from gradio.components import Component

FILES = "files"  # of the forms, our own


def lay_out_away(forms: Mapping[str, str]) -> dict[str, Component]:
    """The list of forms, its button, and the hidden one that a browser saves the ZIP by.

    Args:
        forms: name → title, beside our own.
    """
    titled = [("pictures and result.json", FILES)]
    titled += [(title, name) for name, title in forms.items()]
    with gr.Row(elem_id="away"):
        form = gr.Dropdown(titled, value=FILES, label="Take it away as", elem_id="form", scale=2)
        take = gr.Button("Download (ZIP)", interactive=False, elem_id="take")
    package = gr.DownloadButton("ZIP", visible="hidden", elem_id="package")
    return {"form": form, "take": take, "package": package}
