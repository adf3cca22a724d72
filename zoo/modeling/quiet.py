"""Keep the libraries' chatter out of our output."""

from __future__ import annotations

import warnings


def quiet_libraries() -> None:
    """No load reports, progress bars and deprecation notes of transformers and peft between our own lines.

    The load report warns of a random head: ours is set explicitly, and a build compares the logits of what it wrote.
    """
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|peft)\b.*")
