"""What coordinator, arms and trials say to one another."""
