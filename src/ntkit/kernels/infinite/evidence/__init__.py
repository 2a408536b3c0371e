"""What the rules take for granted about a network, held against the network itself."""
