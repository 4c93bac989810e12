"""Kills under load, and the figures that must hold after them, each with a control that fails."""
