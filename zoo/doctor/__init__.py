"""What stands in the way of a build on this machine, and how to put it right."""
