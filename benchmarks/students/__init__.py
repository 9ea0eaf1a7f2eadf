"""Students: what each way of making them better gives."""
