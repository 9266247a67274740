"""The cryptography of one device, without a network: Olm between devices, Megolm in rooms, and what both remember."""
