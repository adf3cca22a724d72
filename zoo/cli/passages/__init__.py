"""`zoo passages`: raw text for pre-training."""

from zoo.cli.group import command_group

app = command_group(
    __name__, ("list", "show", "fetch", "check"), "List, show, fetch and check passages for pre-training."
)
