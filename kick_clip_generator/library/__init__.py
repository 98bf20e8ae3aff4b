"""The database of sources, clips and ratings, and the file store.

`library.Library` is the way in; `records` holds what goes in and comes out; `files` and `names` need no database.
"""
