"""Where clips can be exported to: one file each, called by its name, with a class `Destination`."""
