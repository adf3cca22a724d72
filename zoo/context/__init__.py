"""What the words around a mention say of it: that it is negated, past, possible, of someone else; its section."""
