"""Suite `functions`: functions of installed packages, rewritten and checked apart from semrep.

Nothing of their text is kept here: it is read from what is installed when the suite runs.
"""
