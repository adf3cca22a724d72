"""`zoo corpora`: annotated corpora."""

from zoo.cli.group import command_group

app = command_group(__name__, ("list", "fetch", "show", "add", "check"), "List, fetch, show, add and check corpora.")
