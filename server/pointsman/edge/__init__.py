"""All input and output: the only floor that fails because of the world, and it raises only errors of `core.errors`."""
