"""Steps that change the data before training: a data set in, a data set out."""
