"""`zoo corpora`: annotated corpora."""

from zoo.cli.group import command_group

app = command_group(
    {
        "list": "zoo.cli.corpora.list:list_corpora",
        "fetch": "zoo.cli.corpora.fetch:fetch",
        "show": "zoo.cli.corpora.show:show",
        "add": "zoo.cli.corpora.add:add",
        "check": "zoo.cli.corpora.check:check",
    },
    "List, fetch, show, add and check corpora.",
)
