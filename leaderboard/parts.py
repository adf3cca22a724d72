"""Pieces of the page that several tabs use."""

from __future__ import annotations

from typing import Any

import gradio as gr


def html(value: str, **options: Any) -> gr.HTML:
    """HTML of our own, without Gradio's prose styles and without a server event at every click."""
    return gr.HTML(value, apply_default_css=False, **{"js_on_load": None, **options})
