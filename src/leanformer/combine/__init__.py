"""Steps that combine several models into one artifact: currently a cascade, small model first."""
