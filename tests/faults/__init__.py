"""What goes wrong on purpose: damaged files, killed processes, full disks, absurd numbers, forged models."""
