"""Vocoders of the Hub."""
