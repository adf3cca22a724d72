"""What builds would take on GPUs that are not here: estimated from the peak figures of their makers, never measured.

All of it is in this module. Work is counted in floating-point operations (`StageKind.flop_per_work`: LoRA training
takes 4 per token and parameter, tagging 2), a board is taken to reach a fixed share of its peak rate and to draw its
full board power all the while; the rest of the computer is not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

EFFICIENCY = 0.1
"""Share of the peak rate that is reached. The pre-training of arXiv 2508.01630 (section 3.2: 350,000 passages, about 90
million tokens, 3 epochs, 4 h on one A100) is 4 x 335e6 x 270e6 = 3.6e17 operations at 335 million parameters: 0.08 of
that board's peak. Long runs of large models, tuned for it, reach 0.3 to 0.5 (arXiv 2204.02311, section 4.1)."""
PAPER_HOURS = 12.0
PAPER_EMISSIONS_G = 1200.0
"""What arXiv 2508.01630 says of itself: under 12 hours on one GPU and under 1.2 kg CO2e. By its account 0.4 kW x 12 h x
242 g/kWh = 1.16 kg a session; it does not say whether a session has one model or all corpora of a backbone."""


@dataclass(frozen=True)
class Gpu:
    """A board.

    Attributes:
        name: Maker's name, with the form where there are several.
        tflop_per_s: Peak rate in 1e12 operations a second, dense, in the format that training takes there.
        number_format: That format: bfloat16 on tensor cores, or float32 where the board multiplies no bfloat16.
        board_w: Maximum power of the board, in W.
        source: Where the figures stand.
    """

    name: str
    tflop_per_s: float
    number_format: str
    board_w: float
    source: str

    def seconds(self, flop: float) -> float:
        """Time of so many floating-point operations."""
        return flop / (EFFICIENCY * 1e12 * self.tflop_per_s)


GPUS = (
    Gpu("H100 SXM", 989.0, "bfloat16", 700, "NVIDIA H100 Tensor Core GPU datasheet; half of the sparse 1,979"),
    Gpu("A100 80GB SXM", 312.0, "bfloat16", 400, "NVIDIA A100 Tensor Core GPU datasheet"),
    Gpu("L4", 121.0, "bfloat16", 72, "NVIDIA L4 Tensor Core GPU datasheet; half of the sparse 242"),
    Gpu("V100 SXM2", 15.7, "float32", 300, "NVIDIA V100 Tensor Core GPU datasheet"),
    Gpu("T4", 8.1, "float32", 70, "NVIDIA T4 Tensor Core GPU datasheet"),
)
