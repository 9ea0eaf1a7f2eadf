"""Steps that combine several models into one artifact: today a cascade, small model first."""
