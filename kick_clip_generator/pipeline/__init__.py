"""One file per kind of work, called by workers and by the inline command line alike."""
