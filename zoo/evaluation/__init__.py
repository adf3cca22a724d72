"""Strict span scores and their statistics."""
