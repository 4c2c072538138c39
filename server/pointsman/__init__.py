"""Pointsman: one daemon that keeps providers, models and running chats for every editor on the machine."""
