"""Networks: inputs, layers, backbones, and what surrounds them while they train."""
