"""The atlas: every technique of the field that is here, each beside its control under equal conditions."""
