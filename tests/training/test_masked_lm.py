"""Masked language modelling: tables against padded sequences, and masks of held-out text."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from tests.tiny import save_tiny_backbone
from tests.training.conftest import Tiny, family
from zoo.kernels.train import training_kernels
from zoo.registry.recipes import DaptRecipe
from zoo.training.dapt import attach
from zoo.training.masked_lm import load_masked_language_model, masked_batch, masked_loss, perplexity

TEXTS = ["aspirin stopped migraine " * (2 + number % 4) for number in range(40)]


@pytest.mark.parametrize("name", ["bert", "electra", "roberta"])
def test_a_table_has_the_loss_of_padded_sequences(name: str, tmp_path: Path) -> None:
    save_tiny_backbone(name, tmp_path)
    encoder, _ = load_masked_language_model(tmp_path, family(name))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    model = attach(encoder, family(name), DaptRecipe())
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.1)
    model.eval()
    sequences = sorted(tokenizer([text[:90] for text in TEXTS[:8]])["input_ids"], key=len, reverse=True)
    table = masked_batch(tokenizer, sequences, 0.3, 5, table_for=model)
    rows, labels = (
        each[0, : sum(map(len, sequences))].split([len(row) for row in sequences])
        for each in (table.inputs["input_ids"], table.gold)
    )
    fill = torch.nn.utils.rnn.pad_sequence
    ids = fill(rows, batch_first=True, padding_value=tokenizer.pad_token_id)
    mask = fill([torch.ones_like(row) for row in rows], batch_first=True)
    expected = model(input_ids=ids, attention_mask=mask, labels=fill(labels, batch_first=True, padding_value=-100)).loss
    expected.backward()
    wanted = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    with training_kernels(model, bfloat16=False) as takes_tables:
        assert takes_tables
        loss = masked_loss(model, family(name), table, bfloat16=False) / table.labelled
        loss.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    assert len(wanted) == 2 * 2 * 2
    for name, gradient in wanted.items():
        torch.testing.assert_close(model.get_parameter(name).grad, gradient, rtol=1e-3, atol=1e-6, msg=name)


def test_held_out_masks_are_always_the_same(tiny: Tiny) -> None:
    model, _ = load_masked_language_model(tiny.backbone, family())
    tokenizer = AutoTokenizer.from_pretrained(tiny.backbone)
    ids = tokenizer(TEXTS)["input_ids"]
    values = {perplexity(model, tokenizer, ids, DaptRecipe(), family()) for _ in range(3)}
    assert len(values) == 1
    assert perplexity(model, tokenizer, ids, DaptRecipe(masked_share=0.3), family()) not in values
