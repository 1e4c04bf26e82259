"""The three services that the system stands on: as given by the environment, or private instances of the installed binaries."""
