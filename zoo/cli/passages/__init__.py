"""`zoo passages`: raw text for pre-training."""

from zoo.cli.group import command_group

app = command_group(
    {
        "list": "zoo.cli.passages.list:list_passages",
        "show": "zoo.cli.passages.show:show",
        "check": "zoo.cli.passages.check:check",
    },
    "List, show and check passages for pre-training.",
)
