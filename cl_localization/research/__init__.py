"""The source systems as their authors have them, with their train and test commands. The product imports nothing of
it."""
