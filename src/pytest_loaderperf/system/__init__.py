"""What the operating system says and does: processes, CPUs, memory, files."""
