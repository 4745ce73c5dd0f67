"""The names of files in Unicode, which every file, terminal and format can hold."""

import os


def spelled(name: str) -> str:
    r"""A name as it can be written and read: what is no UTF-8 in it as `\xNN`, so `caf\xe9` of Latin-1. Python hands
    such bytes on as lone surrogates, which open the file and cannot be written anywhere."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
