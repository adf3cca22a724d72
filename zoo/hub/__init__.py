"""The Hub: pushing, and verifying what was pushed."""
