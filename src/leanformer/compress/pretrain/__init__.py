"""Small general encoders for students to start from: pre-trained by distillation on raw text."""
