"""Localizing by learned codes: every feature attends to all of them."""
