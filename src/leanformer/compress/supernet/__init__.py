"""One model that contains smaller ones, trained together."""
