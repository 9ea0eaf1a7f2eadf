"""Knowledge distillation into a Transformer student: the step, the student's start, the choice of its layers."""
