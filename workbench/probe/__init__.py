"""What a model can really do, found by asking it a small fixed set of questions."""
