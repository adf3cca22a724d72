"""Builds: the plan of stages, the artefact store, and the engines that run it."""
