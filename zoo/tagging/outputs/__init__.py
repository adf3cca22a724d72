"""What was found, as files: one module a format, a table of them, and runs that go on where they were broken off."""
