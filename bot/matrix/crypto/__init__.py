"""Cryptography of one device, without a network: Olm between devices, Megolm in rooms, and their stored state."""
