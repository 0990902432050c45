"""The outside world, one module each. Dictionaries of other people's making die here."""
