"""Transfer learning: a backbone that others trained, run over the images once, and a head that learns from it."""
