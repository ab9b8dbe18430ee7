"""Delivering events to targets outside."""
