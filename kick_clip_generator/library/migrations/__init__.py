"""The steps that brought `clips.db` to its form, run by `library.migrate`."""
