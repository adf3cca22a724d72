"""The words of the tab "About"."""

from __future__ import annotations

ABOUT = """
## How to read the board

**F1** is the strict entity micro-F1 on the canonical test split: a mention counts when its borders `[start,
end)` and its type are right, over the whole text of every document, through the same decoding that `pipeline`
gives you. The interval below it is a 95 % bootstrap over documents.

**Rank.** Models that share a rank (`2=`) cannot be told apart from the first of them at 95 %. Do not choose
between them by their F1: take the smaller, the faster, or the one whose licence fits.

**Unseen** is the F1 that counts only mentions that do not stand in the training split; a large gap to F1 says
that the model remembers more than it generalises. **Raw text** is the F1 on the original documents instead of
prepared tokens. **Noise loss** is what typos, other case, clinical shorthand and line breaks cost, in points of
F1.

**ms/1k words** is the time to tag 1,000 words on one processor, which the line below the table names: the first
documents of the test split, one at a time, median of several passes. Documents of one sentence take longer per
word than abstracts.

**Trained** and **MB** are what one model adds to its base, which all models of a backbone share. **Wh** and **g
CO2e** cover search, training and scoring of this model; the model page shows every stage.

**Verified** means that the score was reproduced from the files on the Hub. A dash means not measured.

**Overall** is a mean over corpora. Backbones that cover different corpora stand under different headings and
are not ranked together.

**Reported by others** are figures from papers and model cards. Their splits, scoring and training data differ
or are not disclosed, so they stand apart and have no rank.

## The demo

The models run on this server. Your text is used to compute the answer and kept in memory while the page is
open; it is not logged and not stored. Offsets count Unicode characters and are half-open, `[start, end)`. This
is a research tool, not a medical device: it misses entities and invents some, and the scores on the board say
how often.

What is struck through is negated, what is dotted only possible; the label says what else the text says of an
entity (historical, hypothetical, someone else), by rules of the chosen language, which err: read the words around
it. "Hide details" hides what has the form of an address, a number, a date or a name behind a title in the answer and
the downloads. That is no de-identification.

An entity whose label is underlined is linked to an ontology: point at it, tap it, or go to it with Tab, and a
card shows the concept, its definition, the candidates that were seen with their scores, and its page.

## Keyboard

Everything can be reached with Tab; headings of the table sort with Enter or Space; arrow keys move between tabs
and scroll the table.
"""
