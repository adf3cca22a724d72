"""Homes of passages on the web, one module each; `PASSAGE_HOMES` in zoo/registry/formats.py names them."""
