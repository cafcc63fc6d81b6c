"""Language models behind their official SDKs."""
