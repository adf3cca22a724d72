"""`zoo ontologies`: vocabularies whose concepts mentions are linked to."""

from zoo.cli.group import command_group

app = command_group(
    __name__,
    ("list", "fetch", "show", "add", "check", "index"),
    "List, fetch, show, add, check and index ontologies that mentions are linked to.",
)
